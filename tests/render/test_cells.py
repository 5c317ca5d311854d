"""The values of a group of changes: no schedule and no environment speaks for another, in no format."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

from schedsync.core.change import Change, Create, Delete, Release, Update
from schedsync.core.location import Location
from schedsync.core.observed import Row
from schedsync.core.origin import Binding
from schedsync.core.schedule import People
from schedsync.core.timing import interval
from schedsync.render.changes.folding import Group, groups, groups_across
from schedsync.render.comment import markdown
from schedsync.render.page import review as html
from schedsync.render.page.rows import ChangeRow, Moved, rows
from tests.conftest import NOW
from tests.render.test_page import daily, load, moved, reviewed, row_of, spec, text
from tests.render.test_plan_text import lines

ONE, TWO = daily("1", "UTC"), daily("2", "UTC")
MONTH = timedelta(days=30)


def read(value: str | None) -> str:
    return (value or "").replace("\u00a0", " ")


def only_row(changes: list[Change]) -> ChangeRow:
    [row] = rows(groups(changes), NOW)
    return row


def in_environments(**changes: Change) -> Any:
    """Return a review of one change in each environment."""
    value = reviewed(*changes.values())
    [each] = value.environments
    return replace(
        value,
        environments=[
            replace(each, environment=name, plan=replace(each.plan, binding=Binding(name), changes=(change,)))
            for name, change in changes.items()
        ],
    )


def test_a_schedule_that_runs_in_one_environment_only_says_so() -> None:
    on = moved("report", spec(TWO), spec(TWO, queue="fast"))
    off = moved("report", spec(TWO, enabled=False), spec(TWO, enabled=False, queue="fast"))
    value = in_environments(staging=off, production=on)
    [group] = groups_across([(each.environment, each.plan) for each in value.environments])
    [row] = rows([group], NOW)

    assert (row.runs, row.often) == (Moved(None, "differs by environment"),) * 2
    page = text(html.review(value))
    assert "staging no run (none) production" in page
    assert "production Tue 24 Nov 02:00 · Wed 02:00 · Thu 02:00 UTC (1 a day) where" in page


def test_a_disabled_schedule_does_not_speak_for_those_that_run() -> None:
    changes: list[Change] = [
        moved(f"r{number}", spec(ONE, enabled=number > 0), spec(TWO, enabled=number > 0)) for number in range(4)
    ]
    row = only_row(changes)

    assert (row.runs, row.often) == (Moved(None, "no run", "r0:"), Moved(None, "each its own"))
    assert "next runs" not in markdown.review(reviewed(*changes))
    assert "next runs" in markdown.review(reviewed(*changes[1:]))


def test_a_schedule_does_not_speak_for_those_that_start_later() -> None:
    later = {"start_at": NOW + MONTH}
    changes: list[Change] = [
        moved(f"r{number}", spec(ONE, **later if number else {}), spec(TWO, **later if number else {}))
        for number in range(4)
    ]
    row = only_row(changes)

    assert row.runs.label == "r0:"
    assert read(row.runs.after).startswith("Tue 24 Nov 02:00")
    assert "next runs" not in markdown.review(reviewed(*changes))


def test_a_schedule_that_is_no_longer_managed_goes_on() -> None:
    row = row_of(Release(name="report", row=Row(1, "report", spec(TWO))))

    assert (row.runs.before, read(row.runs.after)) == (None, "Tue 24 Nov 02:00 · Wed 02:00 · Thu 02:00 UTC")
    assert row.often == Moved(None, "1 a day")


def test_a_move_to_another_zone_names_both_zones_in_each_format() -> None:
    change = moved("report", spec(TWO), spec(daily("2")))
    words = "daily 02:00 UTC → daily 02:00 Europe/Berlin"

    assert words in text(html.review(reviewed(change)))
    assert f"timing {words} (`0 2 * * * UTC` → `0 2 * * * Europe/Berlin`)" in markdown.review(reviewed(change))
    assert any(f"timing  {words}" in line for line in lines(change))


def test_a_new_interval_counts_from_the_apply() -> None:
    row = row_of(Create(name="sync", after=spec(interval(5, 60 * 10**6))))
    later = row_of(Create(name="sync", after=spec(interval(5, 60 * 10**6), start_at=NOW + MONTH)))

    assert row.runs == Moved(None, "first 5m after the apply")
    assert read(later.runs.after).startswith("Wed 23 Dec 10:00 · 10:05")


def test_long_values_are_cut_where_they_differ() -> None:
    before, after = (f"{'queue-' * 30}{end}" for end in ("fast", "slow"))
    [queue] = row_of(moved("report", spec(ONE, queue=before), spec(ONE, queue=after))).what

    assert (queue.before[-4:], queue.after[-4:]) == ("fast", "slow")
    assert max(len(queue.before), len(queue.after)) <= 91


def test_who_owns_nothing_is_not_left_out_beside_owners() -> None:
    changes: list[Change] = [
        moved(f"r{number}", spec(ONE), spec(TWO), people=People("team-a" if number == 3 else None))
        for number in range(5)
    ]
    row = only_row(changes)

    assert row.owner == "none, team-a"
    assert row.group.people == "owners none, team-a"
    assert "owners none, `team-a`" in markdown.review(reviewed(*changes))


def test_the_place_of_a_deleted_schedule_is_in_the_past() -> None:
    gone = Delete(name="gone", row=Row(1, "gone", spec(ONE)), location=Location("s/shop.yaml", 3, 3))

    assert row_of(gone).place == "was s/shop.yaml:3"
    assert row_of(replace(gone, announced=True)).place == "s/shop.yaml:3"


def test_more_places_than_are_shown_are_counted() -> None:
    changes: list[Change] = [
        replace(moved(f"r{number}", spec(ONE), spec(TWO)), location=Location("s/shop.yaml", number, 3))
        for number in range(1, 5)
    ]
    said = "`s/shop.yaml:1`, `s/shop.yaml:2`, `s/shop.yaml:3` and 1 more"

    assert said in markdown.review(reviewed(*changes))
    assert only_row(changes).place == "s/shop.yaml:1 and 3 more"


def test_a_stop_without_a_row_of_its_own_has_its_place_owner_and_reason() -> None:
    def stop(number: int) -> Update:
        people = People("team-<a>", disabled_reason=f"moved <b>{number}</b>")
        change = moved(f"r{number}", spec(ONE), spec(ONE, enabled=False), people=people)
        return replace(change, location=Location("s/shop.yaml", number, 3))

    page = html.review(reviewed(*map(stop, range(501))))
    [brief] = re.findall(r"<li>update <b>r500</b>.*?</li>", page, flags=re.DOTALL)

    for said in ("<code>s/shop.yaml:500</code>", "owner team-&lt;a&gt;", "moved &lt;b&gt;500&lt;/b&gt;"):
        assert said in brief
        assert brief.count(said) == 1


def test_environments_with_another_load_are_not_shown_as_one() -> None:
    """Their minutes are the same: only intervals that are in no minute differ, or only queues."""
    value = reviewed(moved("report", spec(ONE), spec(TWO)), before=load(ONE), after=load(TWO))
    [each] = value.environments
    fast = replace(load(TWO), queues={"fast": load(TWO).total})
    others = {"staging": each.after, "qa": each.after, "eu": load(TWO, interval(5, 60 * 10**6)), "us": fast}
    page = html.review(
        replace(value, environments=[replace(each, environment=name, after=after) for name, after in others.items()])
    )

    assert re.findall("<h3>Load of a week: (.*?)</h3>", page) == ["staging, qa", "eu", "us"]


def test_a_group_of_one_schedule_may_have_another_owner_in_each_environment() -> None:
    changes = [moved("report", spec(ONE), spec(TWO), people=People(owner)) for owner in ("team-a", "team-b")]
    group = Group(tuple(zip(("staging", "production"), changes, strict=True)), ("staging", "production"))

    assert rows([group], NOW)[0].owner == "team-a, team-b"
