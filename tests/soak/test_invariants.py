"""The checks of a soak find what they are for: a good story passes, and each fault in it is found by its check."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.soak.facts import Facts, Happening, Noted, Record, Reign, Run
from tests.soak.invariants import replay, violations

BEGAN = 1000.0


def run(name: str, tick: float, **values: Any) -> Run:
    return Run(**{"name": name, "tick": BEGAN + tick, "id": f"{name} {tick}", "at": BEGAN + tick + 0.1, **values})


def change(kind: str, name: str, old_name: str | None = None, **fields: Any) -> dict[str, Any]:
    return {
        "kind": kind, "name": name, "old_name": old_name,
        "fields": [{"field": field, "before": None, "after": after} for field, after in fields.items()],
    }  # fmt: skip


def record(at: float, *changes: dict[str, Any], who: str = "agent-1") -> Record:
    return Record(BEGAN + at, "apply", who, "c", changes)


ROW = {"task": "t", "kwargs": {}, "enabled": True, "queue": None, "description": "", "timing": {"every": "1s"}}
SLOW = {**ROW, "timing": {"every": "2s"}}
#: Two Beats, two agents, a schedule that nobody touches, and one that is slowed down and renamed.
GOOD = Facts(
    began=BEGAN, quiet_since=BEGAN + 15, ended=BEGAN + 30,
    runs=[
        *(run("steady-0", float(tick)) for tick in range(21)),
        *(run("roamer-v1", float(tick)) for tick in range(11)),
        *(run("roamer-v2", float(tick)) for tick in range(12, 22, 2)),
        # A worker was killed while it ran this.
        run("steady-0", 9.0, at=BEGAN + 12),
    ],
    happenings=[Happening(BEGAN + 9.2, "kill", "worker-1"), Happening(BEGAN + 3, "push")],
    records=[
        record(-3, change("create", "steady-0", task="t", timing={"every": "1s"}),
               change("create", "roamer-v1", task="t", timing={"every": "1s"})),
        record(10.5, change("rename", "roamer-v2", "roamer-v1"), change("update", "roamer-v2", timing={"every": "2s"}),
               who="agent-2"),
    ],
    rows={"steady-0": ROW, "roamer-v2": SLOW}, ledger={"steady-0": ROW, "roamer-v2": SLOW},
    claims={"steady-0": BEGAN + 20, "roamer-v2": BEGAN + 20},
    journal=[Noted("steady-0", BEGAN + at, 1 + at // 10, f"beat-{1 + at // 10}", BEGAN + at) for at in range(18)],
    agents=[Reign(1, "agent-1", BEGAN - 4), Reign(2, "agent-2", BEGAN + 10)],
    last_commit="c" * 40, applied_commit="c" * 40,
)  # fmt: skip


def without(name: str, *ticks: float) -> list[Run]:
    return [found for found in GOOD.runs if found.name != name or found.tick - BEGAN not in ticks]


def journal(**values: Any) -> list[Noted]:
    return [*GOOD.journal, replace(GOOD.journal[-1], **values)]


FAULTS: dict[str, tuple[str, dict[str, Any]]] = {
    "a tick of an untouched schedule is missing": ("nothing_is_lost", {"runs": without("steady-0", 4)}),
    "a change of another schedule is no reason": ("nothing_is_lost", {"runs": without("steady-0", 13)}),
    "a tick is missing before the change": ("nothing_is_lost", {"runs": without("roamer-v1", 8)}),
    "a tick came between two": ("nothing_is_lost", {"runs": [*GOOD.runs, run("steady-0", 4.5)]}),
    "an enabled schedule no longer runs": ("what_is_enabled_runs", {"runs": without("roamer-v2", 16, 18, 20)}),
    "a tick has two ids": ("nothing_is_doubled", {"runs": [*GOOD.runs, run("steady-0", 4, id="other")]}),
    "a message came twice": ("nothing_is_doubled", {"runs": [*GOOD.runs, run("steady-0", 18)]}),
    "the worker was killed too early": ("nothing_is_doubled", {"happenings": [Happening(BEGAN + 0.5, "kill")]}),
    "the journal says too much": ("the_journal_is_true", {"journal": journal(tick=BEGAN + 17.5)}),
    "a claimed tick was not run": ("the_journal_is_true", {"claims": {"steady-0": BEGAN + 21}}),
    "an epoch has two Beats": ("one_beat_leads", {"journal": journal(beat="beat-3")}),
    "an old leader still sends": ("one_beat_leads", {"journal": journal(epoch=1, beat="beat-1", at=BEGAN + 17)}),
    "two agents have one epoch": ("one_agent_acts", {"agents": [*GOOD.agents, Reign(2, "agent-1", BEGAN + 11)]}),
    "an agent applied without acting": ("one_agent_acts", {"agents": [Reign(1, "agent-1", BEGAN), GOOD.agents[1]]}),
    "the wrong agent applied": ("one_agent_acts", {"records": [*GOOD.records, record(12)]}),
    "a row was edited": ("the_audit_equals_the_tables", {"rows": {**GOOD.rows, "steady-0": {**ROW, "queue": "sams"}}}),
    "a row is gone": ("the_audit_equals_the_tables", {"rows": {"steady-0": ROW}}),
    "a row has no audit": ("the_audit_equals_the_tables", {"ledger": {**GOOD.ledger, "new": ROW}}),
    "the last commit is not applied": ("the_last_commit_is_applied", {"applied_commit": "d" * 40}),
    "there is drift": ("the_last_commit_is_applied", {"drift": "steady-0"}),
}


def test_a_good_story_passes() -> None:
    assert violations(GOOD) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_by_its_check(fault: str) -> None:
    check, values = FAULTS[fault]

    assert check in {sentence.partition(":")[0] for sentence in violations(replace(GOOD, **values))}


def test_a_killed_worker_explains_one_message_and_no_more() -> None:
    killed = [*GOOD.happenings, Happening(BEGAN + 14.5, "kill", "worker-2")]

    assert violations(replace(GOOD, runs=without("steady-0", 14), happenings=killed)) == []
    assert len(violations(replace(GOOD, runs=without("steady-0", 14, 15), happenings=killed))) == 2
    assert len(violations(replace(GOOD, runs=without("steady-0", 14)))) == 2


def test_a_replay_follows_renames_and_deletions() -> None:
    deleted = replace(GOOD, records=[*GOOD.records, record(12, change("delete", "steady-0"))])

    assert replay(deleted) == {"roamer-v2": {"task": "t", "timing": {"every": "2s"}}}
