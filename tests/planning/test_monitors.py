"""Which monitors schedules shall have, and the steps that lead there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schedsync.core.monitor import Monitor, monitor_text
from schedsync.core.observed import Managed, Observed, Row
from schedsync.core.schedule import Spec, spec_text
from schedsync.core.timing import Interval, Solar
from schedsync.core.watch import Recorded, Wanted
from schedsync.planning.monitors import Known, steps, unmanaged_rows, wanted_now

HOUR = Interval(3_600 * 10**6)
SPEC = Spec("t", HOUR, monitor=monitor_text(Monitor(300, 1_800)))
WANTED = Wanted(1, "a", "shop", None, HOUR, Monitor(300, 1_800))
THERE = Recorded(7, "healthchecks", 1, "shop", "a", "a", "id", "digest of a", made=True)


def observed(*rows: Row, **ledger: Spec) -> Observed:
    managed = {
        name: Managed(name, "shop", number, spec_text(spec)) for number, (name, spec) in enumerate(ledger.items(), 1)
    }
    return Observed({row.name: row for row in rows}, managed)


def kinds(wanted: list[Wanted], recorded: list[Recorded], known: Known | None = None) -> list[tuple[str, str]]:
    found = steps("healthchecks", wanted, recorded, lambda one: f"digest of {one.name}", known or Known())
    return [(step.kind, step.reason) for step in found]


@pytest.mark.parametrize(
    ("row", "muted"),
    [
        (Row(1, "a", SPEC), False),
        (Row(1, "a", replace(SPEC, enabled=False)), True),
        (Row(1, "renamed by hand", SPEC), False),
        (Row(1, "a", None), True),
        (Row(2, "b", SPEC), True),
        (Row(1, "a", replace(SPEC, timing=Solar("sunset", "1.000000", "1.000000"))), True),
    ],
)
def test_a_schedule_that_does_not_run_is_muted(row: Row, muted: bool) -> None:
    assert wanted_now(observed(row, a=SPEC), "shop", None) == [WANTED._replace(muted=muted)]


def test_only_schedules_with_a_monitor_have_one() -> None:
    plain = replace(SPEC, monitor=None)

    assert wanted_now(observed(Row(1, "a", plain), a=plain), "shop", None) == []


@pytest.mark.parametrize(
    ("wanted", "recorded", "expected"),
    [
        ([WANTED], [], [("create", "")]),
        ([WANTED], [THERE], []),
        ([WANTED], [replace(THERE, digest="")], [("change", "")]),
        ([WANTED], [replace(THERE, remote_id="")], [("create", "")]),
        ([WANTED._replace(name="b")], [THERE], [("change", "was `a`")]),
        ([WANTED._replace(row_id=9)], [THERE], []),
        ([], [THERE], [("delete", "")]),
        ([], [replace(THERE, made=False)], [("forget", "")]),
        ([WANTED._replace(row_id=2, name="b")], [THERE], [("delete", ""), ("create", "")]),
    ],
)
def test_steps_lead_from_what_is_there_to_what_is_wanted(
    wanted: list[Wanted], recorded: list[Recorded], expected: list[tuple[str, str]]
) -> None:
    assert kinds(wanted, recorded) == expected


def test_a_schedule_of_another_set_keeps_its_monitor() -> None:
    assert kinds([], [THERE], Known(elsewhere={1})) == []


def test_a_row_that_nobody_manages_keeps_its_monitor() -> None:
    rows = Observed({"a": Row(1, "a", SPEC), "b": Row(2, "b", SPEC)}, elsewhere={"b": "other"})

    assert unmanaged_rows(rows) == {1}
    assert kinds([], [THERE], Known(unmanaged={1})) == [("forget", "")]
