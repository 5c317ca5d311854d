"""The pages: tables in the order of danger, what they are of, and text that stays text."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from schedsync import __version__
from schedsync.calendar.load import Load, load_of
from schedsync.calendar.stock_beat import slots
from schedsync.calendar.window import week_of
from schedsync.core.change import Change, Consequence, Create, Delete, FieldChange, Update
from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.core.observed import Observed, Row
from schedsync.core.origin import Binding
from schedsync.core.refusal import Refusal
from schedsync.core.schedule import People, Schedule, Spec, Template, value_form
from schedsync.core.timing import Clocked, Timing, crontab, interval, solar
from schedsync.planning.plan import Plan
from schedsync.render.changes.cells import runs_text
from schedsync.render.changes.folding import Group, groups
from schedsync.render.comment import markdown
from schedsync.render.page import review as html
from schedsync.render.page.rows import Moved, rows
from schedsync.review.result import EnvironmentReview, Review
from tests.conftest import NOW

BERLIN = "Europe/Berlin"
STOPS = (Consequence("stops", "stops"),)


def daily(hour: str, zone: str = BERLIN) -> Timing:
    return crontab({"minute": "0", "hour": hour}, zone)


def spec(timing: Timing, **more: Any) -> Spec:
    return Spec("shop.tasks.report", timing, **more)


def moved(name: str, before: Spec, after: Spec, **more: Any) -> Update:
    fields = tuple(
        FieldChange(field, value_form(field, getattr(before, field)), value_form(field, getattr(after, field)))
        for field in ("timing", "queue", "enabled")
        if getattr(before, field) != getattr(after, field)
    )
    row = Row(1, name, before, last_run_at=NOW - timedelta(minutes=1), date_changed=NOW - timedelta(days=1))
    return Update(name=name, row=row, after=after, fields=fields, location=Location("s/shop.yaml", 3, 3), **more)


def load(*timings: Timing) -> Load:
    schedules = [Schedule(f"s{n}", Spec("t", timing), Location("a.yaml", n, 1)) for n, timing in enumerate(timings, 1)]
    return load_of(schedules, week_of(NOW), slots)


def reviewed(*changes: Change, before: Load | None = None, after: Load | None = None, **more: Any) -> Review:
    plan = Plan("shop", Binding(), changes, Observed(), NOW, refusals=more.pop("refusals", ()))
    empty = load()
    one = EnvironmentReview(None, plan, before or empty, after or empty)
    findings = more.pop("findings", ())
    return Review("c0ffee" * 7, "beef" * 10, (one,), findings, frozenset(findings), "main", **more)


def text(page: str) -> str:
    """Return a page as it is read: without its style, its titles of cells and its tags."""
    body = re.sub(r"<style>.*?</style>|<title>.*?</title>", "", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).replace("\u00a0", " ").split())


def row_of(change: Change) -> Any:
    return rows([Group(((None, change),))], NOW)[0]


def test_a_row_says_what_changes_and_the_next_runs() -> None:
    row = row_of(moved("report", spec(daily("20")), spec(daily("2"))))

    assert row.what == [Moved("daily 20:00", "daily 02:00 Europe/Berlin")]
    assert (row.runs.before, row.runs.after) == (
        "Mon\u00a023\u00a0Nov\u00a020:00 · Tue\u00a020:00 · Wed\u00a020:00",
        "Tue\u00a024\u00a0Nov\u00a002:00 · Wed\u00a002:00 · Thu\u00a002:00 Europe/Berlin",
    )
    assert (row.often, row.place, row.sign) == (Moved(None, "1 a day"), "s/shop.yaml:3", "~")


@pytest.mark.parametrize(
    ("before", "after", "what", "runs"),
    [
        (daily("2", "UTC"), daily("2"), ("daily 02:00 UTC", "daily 02:00 Europe/Berlin"), None),
        (daily("2"), interval(5, 10**6), ("daily 02:00 Europe/Berlin", "every 5s"), "from its last run"),
        (daily("2"), Clocked(NOW + timedelta(days=2)), None, "Wed 25 Nov 10:00 UTC"),
        (daily("2"), solar("sunrise", 52.52, 13.405), None, None),
    ],
)
def test_a_row_knows_each_kind_of_timing(
    before: Timing, after: Timing, what: tuple[str, str] | None, runs: str | None
) -> None:
    row = row_of(moved("report", spec(before), spec(after)))

    assert what is None or (row.what[0].before, row.what[0].after) == what
    assert runs is None or row.runs.after.replace("\u00a0", " ") == runs


def test_a_stop_has_no_run_after_it() -> None:
    off = spec(daily("2"), enabled=False)
    row = row_of(moved("report", spec(daily("2")), off))

    assert (row.what[0].label, row.runs.after, row.often) == ("enabled", "no run", Moved("1 a day", "none"))


def test_timings_that_words_cannot_tell_apart_are_shown_as_written() -> None:
    minutes = [crontab({"minute": f"{','.join(map(str, each))}", "hour": "*"}, "UTC") for each in MANY]
    row = row_of(moved("report", spec(minutes[0]), spec(minutes[1])))

    assert row.what[0].before != row.what[0].after


MANY = [[*range(0, 40, 3), 59], [*range(0, 40, 3), 58]]


def test_a_row_of_a_new_schedule_leaves_out_what_is_not_set() -> None:
    fields = (FieldChange("task", None, "t"), FieldChange("queue", None, None), FieldChange("kwargs", None, {}))
    row = row_of(Create(name="a", after=spec(daily("2")), fields=fields))

    assert row.what == [Moved(None, "t", "", is_code=True)]
    assert row.runs.after.endswith("Europe/Berlin")


def test_runs_have_a_weekday_while_that_is_clear() -> None:
    start = datetime(2026, 11, 27, 2, 30, tzinfo=timezone.utc)
    runs = [start, start + timedelta(minutes=15), start + timedelta(days=1), start + timedelta(days=7)]

    said = runs_text(runs, daily("2", "UTC"), NOW).replace("\u00a0", " ")
    assert said == "Fri 27 Nov 02:30 · 02:45 · Sat 02:30 · Fri 4 Dec 02:30 UTC"


def test_each_group_is_one_row_and_its_owners_are_few() -> None:
    changes = [moved(f"job-{n}", spec(daily("1")), spec(daily("2")), people=People(f"team-{n}")) for n in range(300)]
    [row] = rows(groups(changes), NOW)

    assert row.owner == "team-0, team-1 and 298 more"
    page = html.review(reviewed(*changes))
    assert text(page).count("daily 01:00 → daily 02:00 Europe/Berlin") == 1
    assert [n for n in range(300) if f"<code>job-{n}</code>" not in page] == []


def test_alarms_come_first_each_under_its_word() -> None:
    fires = (Consequence("fires_at_once", "fires at once"),)
    value = reviewed(
        moved("quiet", spec(daily("1")), spec(daily("2"))),
        moved("often", spec(daily("1")), spec(daily("*")), consequences=(Consequence("more_often", "often"),)),
        moved("fires", spec(daily("1")), spec(daily("3")), consequences=fires),
        Delete(name="gone", row=Row(1, "gone", spec(daily("1"))), consequences=STOPS),
        refusals=(Refusal("too_many_stops", "1 stop", "--allow-stops 1"),),
        findings=(Finding("SS168", "`a` may fire", severity="warning"), Finding("SS204", "x", severity="error")),
    )
    page = html.review(value)

    assert re.findall(r"<h[123]>(.*?)</h[123]>", page) == [
        "Schedules: refused; 1 stops, 1 fires at once, 1 runs far more often; 1 new error; 1 changed safeguard",
        "Refused: an apply would write nothing",
        "Stops", "Fires at once", "Far more often", "Safeguards", "Other changes", "Load of a week",
        "1 new finding",
    ]  # fmt: skip
    assert re.findall(r'<section class="alarms (\w+)">', page) == ["red", "red", "red", "amber", "amber"]


def test_names_of_a_partial_alarm_are_in_the_open() -> None:
    changes = [
        moved(f"job-{n}", spec(daily("1")), spec(daily("2")), consequences=STOPS if n % 2 else ()) for n in range(40)
    ]
    page = html.review(reviewed(*changes))
    shown = re.sub(r"<details.*?</details>", "", page, flags=re.DOTALL)

    assert [n for n in range(40) if bool(re.search(rf"job-{n}\b", shown)) != bool(n % 2)] == []
    assert [n for n in range(40) if f"job-{n}" not in page] == []


def test_a_page_says_what_it_is_of() -> None:
    page = html.review(reviewed(head_name="feature", repository="git.example.org/acme/shop"))
    facts = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page))

    assert facts == {
        "repository": "git.example.org/acme/shop",
        "set": "shop",
        "base": "main at c0ffeec0ffee",
        "head": "feature at beefbeefbeef",
        "made": f"Mon 23 Nov 2026 10:00 UTC, by schedsync {__version__}",
    }
    title = re.search("<title>(.*?)</title>", page)
    assert title is not None
    assert title[1] == ("Schedules: nothing that runs is changed · main at c0ffeec0ffee → feature at beefbeefbeef")


def test_a_page_says_who_must_approve() -> None:
    change = moved("report", spec(daily("1")), spec(daily("2")), people=People("team-data"))
    page = html.review(reviewed(change, approvals={"team-data": ("@ann", "@ben<i>"), "team-fx": ("@eve",)}))

    assert "<dt>needs approval by</dt><dd>@ann, @ben&lt;i&gt; (1 change of team-data)</dd>" in page
    assert "@eve" not in page


def test_a_page_and_a_comment_have_the_same_verdict() -> None:
    change = moved("report", spec(daily("1")), spec(daily("2"), enabled=False), consequences=STOPS)
    value = reviewed(change, findings=(Finding("SS204", "x", severity="error"),))
    comment, page = markdown.review(value).splitlines()[0], html.review(value)

    assert comment.startswith("### Schedules: 1 stops; 1 new error · ")
    assert "<h1>Schedules: 1 stops; 1 new error</h1>" in page


def test_backticks_are_code_and_everything_else_is_text() -> None:
    assert html.prose("set `a<b>` and `c` <i> `") == "set <code>a&lt;b&gt;</code> and <code>c</code> &lt;i&gt; `"
    assert html.prose("``") == "``"
    assert "\\u202e" in html.prose("`\u202e`")


def test_the_load_is_compared_in_words_and_the_difference_is_drawn_first() -> None:
    heartbeat = interval(5, 10**6)
    value = reviewed(
        before=load(heartbeat, daily("3", "UTC")), after=load(heartbeat, daily("4", "UTC"), daily("4", "UTC"))
    )
    page = html.review(value)
    captions = re.findall("<figcaption>(.*?)</figcaption>", page)

    assert captions[:3] == [
        "Rises and falls: Starts of each hour, after against before, UTC",
        "Before: Worst minute of each hour, UTC",
        "After: Worst minute of each hour, UTC",
    ]
    assert "<p>Load: about 17,281 → 17,282 starts a day, most starts in one minute 1 → 2 (Tue 04:00 UTC, " in page
    assert page.count("The maps leave out 12 a minute, steadily: s1.") == 1


def test_a_load_that_stays_has_no_maps_to_compare() -> None:
    page = html.review(reviewed(before=load(daily("3")), after=load(daily("3"))))

    assert "The load of the week stays as it is." in page
    assert "Rises and falls" not in page


def test_the_size_and_the_time_of_a_page_grow_with_its_changes_alone() -> None:
    """Four times as many changes may take at most eight times as long and five times the room."""

    def measured(count: int) -> tuple[float, int]:
        value = reviewed(*(moved(f"job-{n}", spec(daily("1")), spec(daily("1"), queue=f"q{n}")) for n in range(count)))
        began = time.process_time()
        page = html.review(value)
        took = time.process_time() - began
        assert set(re.findall(r"job-\d+", page)) == {f"job-{n}" for n in range(count)}
        return took, len(page)

    small, large = measured(1000), measured(4000)
    assert large[1] < 5 * small[1] < 5 * 2_000_000
    assert any(measured(4000)[0] < 8 * measured(1000)[0] for _ in range(3))


def test_many_different_deletes_are_all_in_the_open_and_take_little_room() -> None:
    gone = [
        Delete(
            name=f"gone-{n}",
            row=Row(n, f"gone-{n}", spec(daily("1"))),
            fields=(FieldChange("task", f"shop.tasks.t{n}", None),),
            consequences=STOPS,
        )
        for n in range(2000)
    ]
    page = html.review(reviewed(*gone))
    shown = re.sub(r"<details.*?</details>", "", page, flags=re.DOTALL)

    assert set(re.findall(r">gone-(\d+)<", shown)) == {str(n) for n in range(2000)}
    assert set(re.findall(r"<code>shop\.tasks\.t(\d+)<", shown)) == {str(n) for n in range(2000)}
    assert len(page) < 2_000_000


def test_a_timing_of_a_for_each_is_shown_as_written_with_the_runs_of_one() -> None:
    changes = [
        replace(
            moved(f"sync-{t}", spec(crontab({"minute": f"{n}"}, "UTC")), spec(crontab({"minute": f"{n + 30}"}, "UTC"))),
            template=Template("sync-{tenant}", (("tenant", t),)),
            hashed=("H * * * *", "H(30-59) * * * *"),
        )
        for n, t in enumerate(("acme", "bolt", "corp", "dyna"), 1)
    ]
    [row] = rows(groups(changes), NOW)

    assert row.what == [Moved("H * * * * UTC", "H(30-59) * * * * UTC", "", is_code=True)]
    assert (row.runs.label, row.often) == ("sync-acme:", Moved(None, "24 a day each"))


def test_a_group_shows_no_runs_of_one_as_those_of_all() -> None:
    """Their queue changes alike, but each runs at its own time."""
    changes = [moved(f"job-{n}", spec(daily(f"{n}")), spec(daily(f"{n}"), queue="fast")) for n in range(5)]
    [row] = rows(groups(changes), NOW)
    often = [replace(changes[0], name="hourly", row=Row(1, "hourly", HOURLY), after=replace(HOURLY, queue="fast"))]
    [mixed] = rows(groups([*changes, *often]), NOW)

    assert (row.runs, row.often) == (Moved(None, "as before, each at its own time"), Moved(None, "1 a day each"))
    assert mixed.often == Moved(None, "each its own")


HOURLY = spec(crontab({"minute": "0"}, "UTC"))
