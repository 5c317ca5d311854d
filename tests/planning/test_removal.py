"""What becomes of a schedule that no file defines any more, with a grace and without one."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given

from schedsync.core.change import Change, Delete, Release, Rename, Update
from schedsync.core.freeze import Freeze
from schedsync.core.location import Location
from schedsync.core.observed import Managed, Observed, Paused, Row
from schedsync.core.origin import Binding
from schedsync.core.refusal import Limits
from schedsync.core.removing import Removing, grace_from
from schedsync.core.schedule import Desired, Schedule, Spec, spec_text
from schedsync.core.timing import Clocked, Interval, TimingError, crontab
from schedsync.planning.approval import compare
from schedsync.planning.build import PlanRequest, Surroundings, build_plan
from schedsync.planning.diff import diff
from schedsync.planning.documents import document, saved_plan
from schedsync.planning.plan import Plan
from schedsync.planning.repair import repair
from schedsync.planning.safety import is_stop
from schedsync.schemas.validator import PLAN, problems
from tests.conftest import NOW
from tests.planning.test_diff import PLACE, tables, wanted

GRACE = timedelta(days=7)
RUNS = Spec("t.old", Interval(3600 * 10**6))
NOTHING = Desired()


def at(days: float) -> datetime:
    return NOW + timedelta(days=days)


def holding(spec: Spec = RUNS, applied: Spec | None = None, **entry: Any) -> Observed:
    """Return tables with one managed row; ``applied`` is what the ledger says."""
    row = Row(1, "old", spec, last_run_at=at(-1), date_changed=at(-9))
    managed = Managed("old", "shop", 1, spec_text(applied or spec), PLACE, **entry)
    return Observed({"old": row}, {"old": managed})


def removing(since: float = 0, *, held: bool = False, enabled: bool = False) -> Observed:
    """Return tables with one row that was disabled some days after now, and waits to be deleted."""
    stopped = replace(RUNS, enabled=False)
    grace = Removing(at(since), at(since) + GRACE, held)
    return holding(replace(RUNS, enabled=enabled), stopped, removing=grace)


def defining(spec: Spec = RUNS, name: str = "old", **more: Any) -> Desired:
    return Desired.of([Schedule(name, spec, PLACE, **more)])


def changes(desired: Desired, observed: Observed, days: float = 0, grace: timedelta | None = GRACE) -> list[Change]:
    return list(diff(desired, observed, at(days), grace=grace).changes)


def plan_of(desired: Desired, observed: Observed, days: float = 0, grace: timedelta | None = GRACE) -> Plan:
    request = PlanRequest("shop", Binding(path="schedules"), limits=Limits(grace=grace, allow_empty=True))
    return build_plan(request, desired, [], observed, Surroundings(), at(days))


def carried_out(change: Change, observed: Observed) -> Observed:
    """Return the tables after an update of `old`."""
    assert change.row is not None
    assert change.after is not None
    assert change.ledger is not None
    row = replace(change.row, name=change.name, spec=change.after)
    managed = Managed(change.name, "shop", row.id, spec_text(change.ledger), PLACE, removing=change.removing)
    return Observed({row.name: row}, {row.name: managed}, pauses=observed.pauses)


def test_without_a_grace_it_is_deleted_at_once() -> None:
    [change] = changes(NOTHING, holding(), grace=None)

    assert (type(change), change.removing, is_stop(change)) == (Delete, None, True)


def test_with_a_grace_it_is_disabled_which_is_one_stop() -> None:
    [change] = changes(NOTHING, holding())

    assert (type(change), change.name, is_stop(change)) == (Update, "old", True)
    assert (change.after, change.ledger) == (replace(RUNS, enabled=False), replace(RUNS, enabled=False))
    assert change.removing == Removing(NOW, NOW + GRACE)
    assert [(each.field, each.before, each.after, each.cause) for each in change.fields] == [
        ("enabled", True, False, "files")
    ]


@pytest.mark.parametrize("days", [0, 1, 6.99, -30], ids=["now", "a day later", "at its end", "the clock set back"])
def test_within_the_grace_it_waits(days: float) -> None:
    found = diff(NOTHING, removing(), at(days), grace=GRACE)

    assert (found.changes, [each.name for each in found.removing]) == ((), ["old"])


def test_after_the_grace_it_is_deleted_which_is_no_stop() -> None:
    [change] = changes(NOTHING, removing(), 7)

    assert (type(change), is_stop(change)) == (Delete, False)
    assert diff(NOTHING, removing(), at(7), grace=GRACE).removing == ()


def test_a_clock_that_is_set_back_over_the_end_of_the_grace_deletes_nothing() -> None:
    assert [type(each) for each in changes(NOTHING, removing(), 8)] == [Delete]
    assert changes(NOTHING, removing(), 6) == []


def test_another_grace_moves_no_end_and_none_deletes_what_waits() -> None:
    assert changes(NOTHING, removing(), 2, timedelta(days=1)) == []
    [change] = changes(NOTHING, removing(), 2, None)
    assert (type(change), is_stop(change)) == (Delete, False)
    [shown] = plan_of(NOTHING, removing(), 2, None).changes
    assert [each.message for each in shown.consequences] == [
        "deleted without waiting until Mon 30 Nov 10:00 UTC: `[prune]` has no grace now"
    ]


def test_the_grace_counts_from_the_apply_that_disables_it() -> None:
    observed = holding()
    [change] = changes(NOTHING, observed, 3)
    waiting = carried_out(change, observed)

    assert changes(NOTHING, waiting, 9.9) == []
    assert [type(each) for each in changes(NOTHING, waiting, 10)] == [Delete]


def test_what_the_files_had_disabled_waits_too_and_is_no_stop() -> None:
    stopped = replace(RUNS, enabled=False)
    [change] = changes(NOTHING, holding(stopped))

    assert (change.fields, change.removing, is_stop(change)) == ((), Removing(NOW, NOW + GRACE), False)
    assert [type(each) for each in changes(defining(stopped), carried_out(change, holding(stopped)))] == [Update]


def test_an_announced_removal_waits_too_and_is_no_stop() -> None:
    place = Location("schedules/a.yaml", 9, 1)
    [change] = changes(Desired(removed={"old": place}), holding())

    assert (change.removing is not None, change.announced, change.location) == (True, True, place)
    assert not is_stop(change)


def test_a_row_that_is_to_be_kept_is_released_with_a_grace_too() -> None:
    desired = Desired(removed={"old": PLACE}, kept_rows=frozenset({"old"}))

    assert [type(each) for each in changes(desired, holding())] == [Release]
    assert [type(each) for each in changes(desired, removing())] == [Release]


def test_a_rename_is_no_removal_also_of_what_waits() -> None:
    desired = defining(name="new", renamed_from="old")

    for observed in (holding(), removing()):
        [change] = changes(desired, observed)
        assert (type(change), change.removing, change.after) == (Rename, None, RUNS)


def test_a_new_schedule_that_does_the_same_looks_like_a_rename() -> None:
    plan = plan_of(defining(name="new"), holding())

    assert [each.message for each in plan.notices if each.code == "SS163"] == [
        "`old` is removed and `new` is created, and both do the same"
    ]


def test_what_is_put_back_is_enabled_as_the_files_say_and_catches_up_on_nothing() -> None:
    [change] = plan_of(defining(), removing(), 1).changes

    assert (type(change), change.removing, change.after, change.ledger) == (Update, None, RUNS, RUNS)
    assert [(each.field, each.before, each.after) for each in change.fields] == [("enabled", False, True)]
    assert "put_back" in [each.code for each in change.consequences]
    assert "past_slot_skipped" in [each.code for each in change.consequences]
    assert changes(defining(), carried_out(change, removing()), 1) == []


def test_what_is_put_back_with_other_values_gets_these() -> None:
    after = replace(RUNS, queue="q", enabled=False)
    [change] = changes(defining(after), removing())

    assert (change.after, [each.field for each in change.fields]) == (after, ["queue"])


def test_what_a_human_had_stopped_before_stays_stopped_when_it_is_put_back() -> None:
    held = holding(replace(RUNS, enabled=False), RUNS)
    [change] = changes(NOTHING, held)
    assert change.removing == Removing(NOW, NOW + GRACE, held=True)

    found = diff(defining(), carried_out(change, held), at(1), grace=GRACE)
    [back] = found.changes
    assert (back.after, back.ledger) == (replace(RUNS, enabled=False), RUNS)
    assert [each.name for each in found.held] == ["old"]
    assert [each.name for each in diff(defining(), carried_out(back, held), at(1)).held] == ["old"]


@pytest.mark.parametrize("was_enabled", [True, False])
def test_what_is_put_back_and_ignores_enabled_is_as_before_its_removal(was_enabled: bool) -> None:
    before = holding(replace(RUNS, enabled=was_enabled), RUNS)
    [change] = changes(NOTHING, before)
    files = defining(ignore_changes=frozenset({"enabled"}))
    for desired in (files, defining(name="new", renamed_from="old", ignore_changes=frozenset({"enabled"}))):
        [back] = changes(desired, carried_out(change, before), 1)
        assert (back.after and back.after.enabled, back.ledger) == (was_enabled, RUNS)


def test_a_one_off_that_has_run_does_not_run_again_when_it_is_put_back() -> None:
    once = replace(RUNS, timing=crontab({"minute": "5"}, "UTC"), one_off=True)
    # Beat disables it after its run, and resets its count.
    ran = holding(replace(once, enabled=False), once)
    [change] = changes(NOTHING, ran)
    found = diff(defining(once), carried_out(change, ran), at(1), grace=GRACE)

    assert found.completed == ("old",)
    assert [each.after and each.after.enabled for each in found.changes] == [False]


def test_a_time_that_passed_meanwhile_does_not_fire_when_it_is_put_back() -> None:
    clocked = Spec("t.old", Clocked(at(1)), one_off=True)
    [change] = changes(NOTHING, holding(clocked))
    found = diff(defining(clocked), carried_out(change, holding()), at(2), grace=GRACE)

    assert (found.completed, [each.after and each.after.enabled for each in found.changes]) == (("old",), [False])


def test_a_pause_goes_on_over_a_removal() -> None:
    pause = Paused("old", "INC-1", "ada", NOW)
    paused = replace(holding(replace(RUNS, enabled=False), RUNS), pauses={"old": pause})
    [change] = plan_of(NOTHING, paused).changes
    assert (change.fields, change.removing) == ((), Removing(NOW, NOW + GRACE))

    waiting = carried_out(change, paused)
    [still] = changes(defining(), waiting)
    assert (still.after, still.ledger) == (replace(RUNS, enabled=False), RUNS)
    [resumed] = changes(defining(), replace(waiting, pauses={}))
    assert resumed.after == RUNS


def test_somebody_enables_what_waits_and_it_is_disabled_again() -> None:
    [change] = plan_of(NOTHING, removing(enabled=True), 2).changes

    assert (type(change), change.cause, change.after) == (Update, "drift", replace(RUNS, enabled=False))
    assert change.removing == Removing(NOW, NOW + GRACE)
    assert [each.message for each in change.consequences if each.code == "removing"] == [
        "in no file any more: deleted after Mon 30 Nov 10:00 UTC, unless a file defines it again"
    ]


def test_somebody_renames_what_waits_and_it_gets_its_name_back() -> None:
    observed = removing()
    row = replace(observed.rows["old"], name="kept by hand")
    [change] = changes(NOTHING, replace(observed, rows={row.name: row}))

    assert (change.name, change.cause, [each.field for each in change.fields]) == ("old", "drift", ["name"])


def test_somebody_deletes_what_waits_and_it_is_forgotten() -> None:
    found = diff(NOTHING, replace(removing(), rows={}), NOW, grace=GRACE)

    assert (found.changes, found.lost_rows, found.removing) == ((), ("old",), ())


def test_a_broken_row_is_written_again_and_waits() -> None:
    observed = holding()
    broken = replace(observed, rows={"old": Row(1, "old", None)})
    [change] = changes(NOTHING, broken)

    assert (type(change), change.after) == (Update, replace(RUNS, enabled=False))
    unreadable = replace(broken, ledger={"old": replace(observed.ledger["old"], applied="{")})
    assert [type(each) for each in changes(NOTHING, unreadable)] == [Delete]


def test_an_unreadable_entry_of_what_waits_begins_its_grace_anew() -> None:
    observed = removing(-30)
    observed = replace(observed, ledger={"old": replace(observed.ledger["old"], applied="{", removing=None)})
    [change] = changes(NOTHING, observed)

    # Nobody knows whether a human had stopped it.
    assert change.removing == Removing(NOW, NOW + GRACE, held=True)


def test_what_waits_counts_neither_as_managed_nor_as_a_set_that_is_emptied() -> None:
    request = PlanRequest("shop", Binding(path="schedules"), limits=Limits(grace=GRACE))
    emptied = build_plan(request, NOTHING, [], holding(), Surroundings(), NOW)
    waits = build_plan(request, NOTHING, [], removing(), Surroundings(), at(1))
    ends = build_plan(request, NOTHING, [], removing(), Surroundings(), at(8))

    assert [[each.code for each in plan.refusals] for plan in (emptied, waits, ends)] == [["empty_set"], [], []]


def test_a_freeze_holds_a_removal_but_not_what_only_waits() -> None:
    freeze = Freeze(crontab({"minute": "0", "hour": "0"}, "UTC"), timedelta(hours=23), "holidays")
    limits = Limits(grace=GRACE, allow_empty=True, freezes=(freeze,))
    request = PlanRequest("shop", Binding(path="schedules"), limits=limits)
    pause = Paused("old", "INC-1", "ada", at(-2), at(-1))
    resumed_by_hand = replace(holding(), pauses={"old": pause})

    for observed, codes in ((holding(), ["frozen"]), (removing(), []), (resumed_by_hand, ["frozen"])):
        plan = build_plan(request, NOTHING, [], observed, Surroundings(), NOW)
        assert [each.code for each in plan.refusals] == codes


def test_a_control_and_the_settings_do_not_hold_up_a_removal() -> None:
    plan = build_plan(
        PlanRequest("shop", Binding(path="schedules"), limits=Limits(grace=GRACE, allow_empty=True)),
        NOTHING,
        [],
        holding(),
        Surroundings(dual_writers=frozenset({"old"})),
        NOW,
    )

    assert plan.refusals == ()


def test_a_repair_after_the_apply_still_knows_that_it_is_a_removal() -> None:
    [change] = changes(NOTHING, holding())
    again = repair(change, holding(), NOW)

    assert again is not None
    assert again.removing == change.removing
    assert repair(change, removing(), NOW) is None


def test_a_plan_file_that_says_what_waits_lets_its_delete_pass_after_the_grace() -> None:
    for reviewed in (plan_of(NOTHING, holding()), plan_of(NOTHING, removing(), 1)):
        found = compare(plan_of(NOTHING, removing(), 7), saved_plan(document(reviewed)))
        # With `--exact` it is another plan.
        assert (found.refusals, found.unequal) == ((), ("old",))


def test_a_plan_file_lets_no_delete_pass_that_comes_earlier_than_it_says() -> None:
    saved = saved_plan(document(plan_of(NOTHING, removing(), 1)))
    found = compare(plan_of(NOTHING, removing(), 2, None), saved)

    assert [each.message for each in found.refusals] == ["the reviewed plan does not delete `old`"]


def test_a_plan_file_from_before_lets_the_same_removal_pass_later() -> None:
    saved = saved_plan(document(plan_of(NOTHING, holding())))

    assert compare(plan_of(NOTHING, holding(), 3), saved).unequal == ()
    assert plan_of(NOTHING, holding()).checksum == plan_of(NOTHING, holding(), 3).checksum


@pytest.mark.parametrize(
    "plan", [plan_of(NOTHING, holding()), plan_of(NOTHING, removing()), plan_of(NOTHING, removing(), 9)]
)
def test_the_document_of_a_plan_conforms_to_its_schema(plan: Plan) -> None:
    assert list(problems(document(plan), PLAN)) == []


@given(wanted, tables())
def test_after_a_removal_nothing_is_left_to_do_until_its_end(desired: Desired, observed: Observed) -> None:
    found = diff(desired, observed, NOW, grace=GRACE)
    rows, ledger = dict(observed.rows), dict(observed.ledger)
    for change in found.changes:
        if change.after is None or change.ledger is None:
            continue
        number = change.row.id if change.row else 1000 + ord(change.name)
        rows[change.name] = Row(number, change.name, change.after, date_changed=NOW)
        ledger[change.name] = Managed(
            change.name, "default", number, spec_text(change.ledger), PLACE, removing=change.removing
        )
    after = Observed(rows, ledger)

    assert diff(desired, after, NOW, grace=GRACE).changes == ()
    gone = {name for name in ledger if name not in desired.schedules}
    ended = diff(desired, after, at(7), grace=GRACE)
    assert {change.name for change in ended.changes if isinstance(change, Delete)} == gone


@pytest.mark.parametrize(("text", "grace"), [("7d", GRACE), ("1m", timedelta(minutes=1)), ("366d", timedelta(366))])
def test_a_grace_is_a_duration(text: str, grace: timedelta) -> None:
    assert grace_from(text) == grace


@pytest.mark.parametrize("text", ["0d", "59s", "367d", "61000001us", "999999999999999999d"])
def test_a_grace_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(TimingError, match="is not from 1m to 366d"):
        grace_from(text)
