"""Documents that an older version wrote are read; the fingerprint of a state is the same in every version."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from schedsync.core.location import Location
from schedsync.core.observed import Managed, Observed, Paused, Problem, Row
from schedsync.core.schedule import Spec, spec_text
from schedsync.core.timing import Interval, crontab
from schedsync.planning.documents import saved_plan
from schedsync.planning.plan import checksum, fingerprint
from schedsync.planning.snapshot import snapshot_from
from schedsync.schemas.validator import PLAN, problems
from tests.conftest import NOW

SAVED = Path(__file__).parent / "saved"


def saved(name: str) -> Any:
    return json.loads((SAVED / name).read_text())


def test_a_snapshot_of_version_0_1_is_read_and_written_alike() -> None:
    values = saved("snapshot.json")

    assert snapshot_from(values).document() == values


def test_the_changes_of_a_plan_of_version_0_1_are_read() -> None:
    values = saved("plan.json")
    plan = saved_plan(values)

    assert list(problems(values, PLAN)) == []
    assert (plan.set, checksum(plan.set, plan.environment, plan.changes)) == (values["set"], values["checksum"])


HOURLY = Spec("shop.report", crontab({"minute": "5"}, "Europe/Berlin"), kwargs='{"kind":"full"}')
STATE = Observed(
    rows={
        "report": Row(7, "report", HOURLY, last_run_at=NOW, total_run_count=3, date_changed=NOW),
        "broken": Row(8, "broken", None, problems=(Problem("SS320", "no such zone"),)),
        "foreign": Row(9, "foreign", replace(HOURLY, timing=Interval(10**6))),
    },
    ledger={"report": Managed("report", "default", 7, spec_text(HOURLY), Location("a.yaml", 3, 3))},
    elsewhere={"broken": "other"},
    pauses={"report": Paused("report", "incident", "sam", NOW, NOW + timedelta(hours=1))},
)


def test_a_fingerprint_is_a_digest_of_the_canonical_form() -> None:
    assert fingerprint(STATE, ["broken"]) == ("sha256:7ff3521d884c3bf2e9025cbe640751287334b091245cdd0a8a56d35cad202d34")


def test_a_fingerprint_leaves_out_columns_that_beat_writes_and_rows_that_no_change_touches() -> None:
    later = NOW + timedelta(hours=1)
    ran = replace(STATE.rows["report"], last_run_at=later, total_run_count=4, date_changed=later)
    state = replace(STATE, rows={**STATE.rows, "report": ran, "foreign": Row(9, "foreign", HOURLY)})

    assert fingerprint(state, ["broken"]) == fingerprint(STATE, ["broken"])


def test_a_fingerprint_changes_with_a_row_a_pause_or_its_set() -> None:
    rows = {**STATE.rows, "report": replace(STATE.rows["report"], spec=replace(HOURLY, queue="q"))}
    others = [replace(STATE, rows=rows), replace(STATE, pauses={}), replace(STATE, elsewhere={})]

    assert len({fingerprint(state, ["broken"]) for state in [STATE, *others]}) == 4
