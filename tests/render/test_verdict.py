"""The headline's verdict and the load's lines: short however many environments and queues there are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schedsync.calendar.load import ALL_QUEUES, Load, load_of
from schedsync.calendar.stock_beat import slots
from schedsync.calendar.window import Window, week_of
from schedsync.core.change import Change, Consequence, Delete, Update
from schedsync.core.location import Location
from schedsync.core.schedule import Schedule, Spec
from schedsync.core.timing import Timing, crontab, interval
from schedsync.render.changes.folding import Group
from schedsync.render.changes.verdict import alarms_phrase, by_severity, counts_phrase, environments_phrase
from schedsync.render.code_spans import code
from schedsync.render.load.change import load_lines
from tests.conftest import NOW

FIVE = ("a", "b", "c", "d", "e")


def group(name: str, code_: str, *environments: str, kind: type[Change] = Update) -> Group:
    change = kind(name=name, consequences=(Consequence(code_, code_),))
    return Group(tuple((environment, change) for environment in environments or (None,)), environments)


def test_more_than_three_kinds_of_places_become_one_phrase() -> None:
    found = [group(f"s{name}", "stops", name) for name in FIVE[:4]]

    assert alarms_phrase(found[:2], FIVE) == "1 stops in `a`; 1 stops in `b`"
    assert alarms_phrase(found, FIVE) == "4 stop in all 5 environments but `e`"
    assert alarms_phrase([*found, group("x", "fires_at_once", "e")], FIVE) == (
        "4 stop, 1 fires at once in all 5 environments"
    )


def test_the_most_dangerous_alarm_is_first_and_what_is_none_is_not_said() -> None:
    found = [group("a", "more_often", "a"), group("b", "stops", "b"), group("c", "frequency", "c")]

    assert alarms_phrase(found, FIVE) == "1 stops in `b`; 1 runs far more often in `a`"
    assert alarms_phrase([group("c", "frequency"), group("d", "d", kind=Delete)], ()) == ""


def test_an_alarm_is_told_only_of_the_environments_in_which_it_holds() -> None:
    stops, runs = Update(name="a", consequences=(Consequence("stops", "stops"),)), Update(name="a")
    both = Group((("a", runs), ("b", stops), ("c", runs)), ("a", "b", "c"))
    twice = [group("x", "stops", "a"), Group((("b", replace(stops, name="x")),), ("b",))]

    assert alarms_phrase([both], FIVE) == "1 stops in `b`"
    assert alarms_phrase(twice, FIVE) == "1 stops in `a`, `b`"
    assert alarms_phrase([Group((("b", stops),))], ["b"]) == "1 stops"


def test_each_schedule_counts_once_in_however_many_environments() -> None:
    found = [group("a", "", "a"), group("a", "", "b"), group("b", "", "c"), group("d", "", "a", kind=Delete)]

    assert counts_phrase(found) == "2 updated, 1 deleted"


@pytest.mark.parametrize(
    ("names", "text"),
    [((), ""), (FIVE[:2], "`a`, `b`"), (FIVE[:4], "all 5 environments but `e`"), (FIVE, "all 5 environments")],
)
def test_environments_are_named_unless_they_are_many_and_all(names: tuple[str, ...], text: str) -> None:
    assert environments_phrase(names, FIVE) == text


def test_findings_are_counted_by_severity() -> None:
    assert by_severity(["info", "error", "warning", "error"], "new finding") == (
        "4 new findings: 2 errors, 1 warning, 1 info"
    )


def load(**starts: list[int]) -> Load:
    """Return the load of two minutes by queue."""
    total = [sum(minute) for minute in zip(*starts.values(), strict=True)] if starts else [0, 0]
    return Load(Window.of(NOW, minutes=2), total, total, starts, {}, {}, {})


def test_the_load_says_nothing_where_nothing_changes() -> None:
    assert list(load_lines(load(a=[1, 2]), load(a=[1, 2]), code)) == []
    assert list(load_lines(load(), load(), code)) == []


def test_the_load_names_the_queues_that_change_most() -> None:
    before, after = (
        load(**{name: [70, 0] for name in "abcdefgh"}),
        load(**{name: [70, 70] for name in "abcdefg"}, h=[70, 0]),
    )

    assert list(load_lines(before, after, code)) == [
        "80 → 150 starts a day",
        *(f"- queue `{name}`: 10 → 20 starts a day" for name in "abcde"),
        "- and 2 more queues",
    ]


def test_more_queues_than_can_be_kept_apart_count_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schedsync.calendar.load.MOST_QUEUES", 2)
    daily = crontab({"minute": "0", "hour": "2"}, "UTC")
    one, many = (
        [
            Schedule(f"s{number}", Spec("t", daily, queue=f"q{number}"), Location("a.yaml", 1, 1))
            for number in range(count)
        ]
        for count in (1, 3)
    )
    before, after = (load_of(schedules, Window.of(NOW, minutes=1440), slots) for schedules in (one, many))

    assert list(after.queues) == [ALL_QUEUES]
    assert list(load_lines(before, after, code)) == [
        "1 → 3 starts a week, most starts in one minute 1 → 3 (Tue 02:00 UTC)"
    ]


def test_the_worst_minute_is_where_the_worse_of_both_is() -> None:
    assert list(load_lines(load(a=[1, 0]), load(a=[1, 4]), code)) == [
        "1 → 5 starts a week, most starts in one minute 1 → 4 (Mon 10:01 UTC, queue `a`)"
    ]
    assert next(load_lines(load(a=[9, 0]), load(a=[1, 8], b=[0, 0]), code)) == (
        "most starts in one minute 9 → 8 (Mon 10:00 UTC, queue `a`)"
    )


def test_the_worst_minute_leaves_out_what_starts_in_every_minute() -> None:
    heartbeat, often = interval(5, 10**6), interval(2, 10**6)
    daily = crontab({"minute": "0", "hour": "2"}, "UTC")
    before, more, steadier = (week(heartbeat), week(heartbeat, daily), week(often))

    assert list(load_lines(before, more, code)) == [
        "about 17,280 → 17,281 starts a day, most starts in one minute 0 → 1 (Tue 02:00 UTC, without a queue)"
    ]
    assert list(load_lines(before, steadier, code)) == [
        "about 17,280 → 43,200 starts a day, 12 → 30 a minute, steadily"
    ]


def week(*timings: Timing) -> Load:
    schedules = [Schedule(f"s{n}", Spec("t", timing), Location("a.yaml", n, 1)) for n, timing in enumerate(timings)]
    return load_of(schedules, week_of(NOW), slots)


def test_a_move_to_another_queue_is_told_although_as_much_starts() -> None:
    assert list(load_lines(load(a=[7, 0]), load(b=[7, 0]), code)) == [
        "as many starts as before, in other queues",
        "- queue `a`: 7 → 0 starts a week",
        "- queue `b`: 0 → 7 starts a week",
    ]
