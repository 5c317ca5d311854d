"""The laws of the comparison, for any desired and any observed state."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedsync.core.adoption import Adoption
from schedsync.core.change import Change, Delete, Rename, Update
from schedsync.core.location import Location
from schedsync.core.observed import Managed, Observed, Row
from schedsync.core.origin import Binding
from schedsync.core.refusal import Limits
from schedsync.core.schedule import Desired, Schedule, Spec, form, spec_from, spec_text
from schedsync.core.timing import Clocked, Interval, crontab, solar
from schedsync.planning.approval import Comparison, compare
from schedsync.planning.diff import diff
from schedsync.planning.documents import document, saved_plan
from schedsync.planning.notices import completed
from schedsync.planning.plan import Plan as PlanOf
from schedsync.planning.plan import checksum, fingerprint, names_of
from schedsync.planning.repair import repair
from schedsync.planning.safety import Situation, is_stop, refusals
from tests.conftest import NOW

PLACE = Location("schedules/a.yaml", 3, 3)
LATER = NOW + timedelta(days=3)
timings = st.one_of(
    st.integers(1, 10**6).map(lambda seconds: Interval(seconds * 10**6)),
    st.integers(0, 59).map(lambda minute: crontab({"minute": str(minute)}, "Europe/Berlin")),
    st.just(solar("sunset", 52.52, 13.4)),
)
specs = st.builds(
    Spec,
    task=st.sampled_from(["t.a", "t.b"]),
    timing=timings,
    args=st.sampled_from(["[]", "[1]", '["x"]']),
    kwargs=st.sampled_from(["{}", '{"a":1}']),
    queue=st.sampled_from([None, "q"]),
    priority=st.sampled_from([None, 3]),
    expires_after=st.sampled_from([None, 60, 3601]),
    expires_at=st.sampled_from([None, LATER]),
    start_at=st.sampled_from([None, NOW]),
    enabled=st.booleans(),
    description=st.sampled_from(["", "é"]),
)
names = st.sampled_from("abcdefgh")
wanted = st.dictionaries(names, specs).map(
    lambda some: Desired.of(Schedule(name, spec, PLACE) for name, spec in some.items())
)


def row(number: int, name: str, spec: Spec) -> Row:
    return Row(number, name, spec, date_changed=NOW)


def managed(name: str, spec: Spec, number: int) -> Managed:
    return Managed(name, "default", number, spec_text(spec), PLACE)


@st.composite
def tables(draw: st.DrawFn) -> Observed:
    rows = {name: row(n, name, spec) for n, (name, spec) in enumerate(draw(st.dictionaries(names, specs)).items(), 1)}
    owned = draw(st.sets(st.sampled_from(sorted(rows)))) if rows else set()
    ledger = {name: managed(name, draw(st.one_of(st.just(rows[name].spec), specs)), rows[name].id) for name in owned}
    return Observed(rows, ledger)


def carried_out(changes: tuple[Change, ...], observed: Observed) -> Observed:
    """Return the tables after the changes, as an apply leaves them."""
    rows, ledger = dict(observed.rows), dict(observed.ledger)
    for change in changes:
        old = change.old_name if isinstance(change, Rename) else change.name
        before = rows.pop(old, None)
        ledger.pop(old, None)
        if isinstance(change, Delete) or change.after is None or change.ledger is None:
            continue
        number = before.id if before else 1000 + ord(change.name[0])
        rows[change.name] = row(number, change.name, change.after)
        ledger[change.name] = managed(change.name, change.ledger, number)
    return Observed(rows, ledger)


def agreed(desired: Desired) -> Observed:
    rows = {name: row(n, name, one.spec) for n, (name, one) in enumerate(desired.schedules.items(), 1)}
    return Observed(rows, {name: managed(name, one.spec or specs, one.id) for name, one in rows.items() if one.spec})


@given(wanted)
def test_what_is_there_already_is_no_difference(desired: Desired) -> None:
    found = diff(desired, agreed(desired), NOW)

    assert (found.changes, found.held, found.lost_rows, found.to_record) == ((), (), (), ())
    assert found.unchanged == len(desired.schedules)


@given(wanted, tables())
def test_carrying_out_a_difference_leaves_none(desired: Desired, observed: Observed) -> None:
    first = diff(desired, observed, NOW)
    after = carried_out(first.changes, observed)
    again = diff(desired, after, NOW)

    assert again.changes == ()
    held = {one.name for one in first.held}
    for name, schedule in desired.schedules.items():
        expected = replace(schedule.spec, enabled=False) if name in held else schedule.spec
        assert after.rows[name].spec == expected


@given(wanted, tables())
def test_unmanaged_rows_that_no_file_names_are_left_alone(desired: Desired, observed: Observed) -> None:
    touched = names_of(diff(desired, observed, NOW).changes)

    assert touched <= set(desired.schedules) | set(observed.ledger)


@given(wanted, tables(), st.randoms())
def test_the_order_of_files_does_not_matter(desired: Desired, observed: Observed, random: object) -> None:
    shuffled = list(desired.schedules.values())
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert diff(Desired.of(shuffled), observed, NOW) == diff(desired, observed, NOW)


@given(wanted, tables())
def test_a_plan_survives_its_document(desired: Desired, observed: Observed) -> None:
    found = diff(desired, observed, NOW)
    plan = PlanOf("default", Binding(path="schedules"), found.changes, observed, NOW)
    saved = saved_plan(document(plan))

    assert compare(plan, saved) == Comparison()
    assert checksum(saved.set, saved.environment, saved.changes) == plan.checksum


@given(specs)
def test_a_spec_survives_its_form_and_has_one_text(spec: Spec) -> None:
    assert spec_from(form(spec)) == spec
    assert spec_text(spec_from(form(spec))) == spec_text(spec)


@given(tables())
def test_the_fingerprint_sees_every_managed_row_and_no_runtime_column(observed: Observed) -> None:
    ran = {name: replace(one, last_run_at=NOW, total_run_count=9) for name, one in observed.rows.items()}
    assert fingerprint(Observed(ran, observed.ledger), ()) == fingerprint(observed, ())
    for name in observed.ledger:
        one = observed.rows[name]
        other = replace(one.spec, description="edited") if one.spec else None
        edited = {**observed.rows, name: replace(one, spec=other)}
        assert fingerprint(Observed(edited, observed.ledger), ()) != fingerprint(observed, ())


def test_a_human_s_stop_is_held_and_an_edit_of_arguments_still_comes_through() -> None:
    spec = Spec("t", Interval(60_000_000))
    observed = Observed({"a": row(1, "a", replace(spec, enabled=False))}, {"a": managed("a", spec, 1)})
    desired = Desired.of([Schedule("a", replace(spec, queue="q"), PLACE)])
    found = diff(desired, observed, NOW)

    assert [one.name for one in found.held] == ["a"]
    assert [(one.field, one.before, one.after) for one in found.changes[0].fields] == [("queue", None, "q")]
    assert found.changes[0].ledger == replace(spec, queue="q")


def test_a_clocked_time_of_the_past_is_never_written_enabled() -> None:
    past = Clocked(datetime(2026, 1, 1, tzinfo=timezone.utc))
    before = Spec("t", Interval(60_000_000))
    observed = Observed({"a": row(1, "a", before)}, {"a": managed("a", before, 1)})
    after = Spec("t", past, one_off=True)

    for desired in (Schedule("a", after, PLACE), Schedule("b", after, PLACE, renamed_from="a")):
        found = diff(Desired.of([desired]), observed, NOW)
        assert [one.after.enabled for one in found.changes if one.after] == [False]


def test_taking_over_a_one_off_that_has_run_does_not_run_it_again() -> None:
    once = Spec("t", Interval(60_000_000), one_off=True)
    often = replace(once, one_off=False)
    wanted = Desired.of([Schedule("a", once, PLACE, adopt=True)])
    rearmed = []
    for spec in (once, often):
        ran = replace(row(1, "a", spec), total_run_count=3)
        rearmed += [one.rearm for one in diff(wanted, Observed({"a": ran}), NOW).changes]

    assert rearmed == [False, True]


def situation(**values: object) -> Situation:
    return Situation(set="default", desired=10, managed=10, **values)  # type: ignore[arg-type]


def stops(count: int) -> tuple[Change, ...]:
    spec = Spec("t", Interval(60_000_000))
    return tuple(Delete(name=f"d{n}", row=row(n, f"d{n}", spec)) for n in range(count))


def test_one_stop_is_allowed_and_a_share_of_them_is_not() -> None:
    assert refusals(stops(1), situation(), Limits()) == ()
    assert refusals(stops(3), situation(), Limits()) == ()
    assert [one.code for one in refusals(stops(4), situation(), Limits())] == ["too_many_stops"]
    assert refusals(stops(4), situation(), Limits(allow_stops=4)) == ()
    assert [one.code for one in refusals(stops(4), situation(), Limits(allow_stops=3))] == ["too_many_stops"]
    assert refusals(stops(2), Situation("default", 1, 1000), Limits(max_stops=1))[0].code == "too_many_stops"


def test_a_share_is_refused_with_the_count_that_may_stop() -> None:
    found = [refusals(stops(count), Situation("default", 1, 23), Limits()) for count in (6, 7)]
    no_share = refusals(stops(2), Situation("default", 1, 2), Limits(max_stop_percent=0))

    assert [[one.message.partition(": d0")[0] for one in each] for each in found] == [
        [],
        ["7 schedules would stop, 6 of 23 managed may (max_stop_percent: 30)"],
    ]
    assert no_share[0].message.startswith("2 schedules would stop, 1 of 2 managed may (max_stop_percent: 0)")


def disabled(count: int) -> tuple[Change, ...]:
    on = Spec("t", Interval(60_000_000))
    off = replace(on, enabled=False)
    return tuple(Update(name=f"u{n}", row=row(n, f"u{n}", on), after=off) for n in range(1, count + 1))


def test_a_refusal_of_stops_names_the_schedules_and_only_ways_out_that_help() -> None:
    deletes, both, updates = stops(6), (*stops(4), *disabled(1)), disabled(4)
    refused = [refusals(changes, situation(), Limits())[0] for changes in (deletes, both, updates)]
    mostly_disabled = refusals((*stops(1), *disabled(4)), situation(), Limits())[0]

    assert refused[0].message == (
        "6 schedules would stop, 3 of 10 managed may (max_stop_percent: 30): d0, d1, d2, d3, d4, d5"
    )
    assert [refusal.message.rpartition(": ")[2] for refusal in refused[1:]] == ["d0, d1, d2, d3, u1", "u1, u2, u3, u4"]
    assert ["`removed`" in refusal.override for refusal in (*refused, mostly_disabled)] == [True, True, False, False]
    assert ["--allow-stops 4" in refusal.override for refusal in refused] == [False, False, True]
    assert refusals(deletes, situation(), Limits(allow_stops=5))[0].message.startswith(
        "6 schedules would stop, 5 may (--allow-stops): "
    )


RUNS = Spec("t", Interval(60_000_000))


def test_an_end_that_moves_into_the_past_is_a_stop() -> None:
    def change(before: Spec, after: Spec) -> Change:
        return Update(name="a", row=row(1, "a", before), after=after)

    soon, past = NOW + timedelta(minutes=1), NOW - timedelta(minutes=1)
    ends_soon, ended = replace(RUNS, expires_at=soon), replace(RUNS, expires_at=past)

    assert is_stop(change(RUNS, ended), NOW)
    assert is_stop(change(ends_soon, replace(RUNS, timing=Clocked(past), one_off=True)), NOW)
    assert not is_stop(change(RUNS, ends_soon), NOW)
    assert not is_stop(change(ended, replace(ended, enabled=False)), NOW)
    assert not is_stop(Delete(name="a", row=row(1, "a", ended)), NOW)


def test_many_schedules_that_would_end_in_the_past_are_refused() -> None:
    spec = replace(RUNS, expires_at=NOW - timedelta(minutes=1))
    changes = tuple(Update(name=f"{n}", row=row(n, f"{n}", RUNS), after=spec) for n in range(1, 5))

    assert [refusal.code for refusal in refusals(changes, replace(situation(), at=NOW), Limits())] == ["too_many_stops"]


def test_deletes_that_are_announced_or_disabled_already_are_no_stops() -> None:
    announced = tuple(replace(one, announced=True) for one in stops(9))
    off = Spec("t", Interval(60_000_000), enabled=False)
    disabled = tuple(replace(one, row=row(1, one.name, off)) for one in stops(9))

    assert refusals(announced + disabled, situation(), Limits()) == ()


def test_each_rule_names_its_way_out() -> None:
    last = Binding("staging", "github.com/a/b", "schedules", "a" * 40)
    here = Binding("production", "github.com/a/c", "schedules", "b" * 40)
    found = refusals((), situation(name_conflicts=[("x", None)], now=here, last=last, older=True), Limits())

    assert [(one.code, one.override.split(",")[0]) for one in found] == [
        ("name_taken", "--adopt 'x'"),
        ("older_commit", "--allow-older"),
        ("other_environment", "--allow-move"),
        ("moved_set", "--allow-move"),
    ]
    assert [one.code for one in refusals((), situation(now=here, last=last), Limits(allow_move=True))] == []


def test_the_way_out_of_a_taken_name_depends_on_who_manages_the_row() -> None:
    found = refusals((), situation(name_conflicts=[("x", None), ("y", "billing")]), Limits())

    assert [refusal.override for refusal in found] == [
        "--adopt 'x', or `adopt: true` in the file",
        "remove it from these files; or take it over: --adopt-from 'billing', or `adopt: {from: billing}`",
    ]


@pytest.mark.parametrize(
    ("adoption", "schedule", "takes"),
    [
        (Adoption(), {}, (False, False)),
        (Adoption(), {"adopt": True}, (True, False)),
        (Adoption(), {"adopt_from": "b"}, (True, True)),
        (Adoption(), {"adopt_from": "c"}, (True, False)),
        (Adoption(("sync-*",)), {}, (True, False)),
        (Adoption(("[x]", "other")), {}, (False, False)),
        (Adoption(all=True), {}, (True, False)),
        (Adoption(sets=("b",)), {}, (False, True)),
    ],
)
def test_only_the_name_of_a_set_takes_its_rows(
    adoption: Adoption, schedule: dict[str, Any], takes: tuple[bool, bool]
) -> None:
    mine = Schedule("sync-a", Spec("t", Interval(60_000_000)), PLACE, **schedule)

    assert (adoption.takes(mine, None), adoption.takes(mine, "b")) == takes


def test_a_release_is_no_stop_and_has_another_checksum_than_a_delete() -> None:
    spec = Spec("t", Interval(60_000_000))
    observed = Observed({"a": row(1, "a", spec)}, {"a": managed("a", spec, 1)})
    released = diff(Desired.of([], {"a": PLACE}, ["a"]), observed, NOW).changes
    deleted = diff(Desired.of([], {"a": PLACE}), observed, NOW).changes

    assert [change.kind for change in (*released, *deleted)] == ["release", "delete"]
    assert refusals(released * 9, situation(), Limits(allow_stops=0)) == ()
    assert repair(released[0], observed, NOW) is None
    assert checksum("s", None, released) != checksum("s", None, deleted)


def test_notices_of_many_schedules_are_one_with_a_count() -> None:
    past = Spec("t", Clocked(datetime(2026, 1, 1, tzinfo=timezone.utc)), one_off=True)
    desired = Desired.of(Schedule(f"s{number}", past, Location("a.yaml", number, 1)) for number in range(7))
    found = list(completed(desired, list(desired.schedules)))

    assert [(finding.message, finding.location, len(finding.names)) for finding in found] == [
        ("7 schedules are completed: s0, s1, s2, s3, s4 and 2 more", None, 7)
    ]
    assert [finding.message for finding in completed(desired, ["s3"])] == ["`s3` is completed"]
