"""What a person has sent by hand: the ticks of a run of the past."""

from __future__ import annotations

from dataclasses import replace

from schedsync.core.hand_run import PastRecord
from schedsync.core.selector import Candidate
from schedsync.core.task_id import task_id
from schedsync.core.why import Answer, Evidence, Facts, Verdict
from schedsync.planning.why.case import Case, inferred, seen
from schedsync.planning.why.past import name_at, spec_at


def with_run_by_hand(case: Case, answer: Answer) -> Answer:
    """Return the answer for a tick, with the run of the past that has sent it, if there is one.

    What Beat did with the tick stays as evidence.
    """
    run = next((run for run in case.facts.past_runs if _covers(run, case)), None)
    if run is None or (run.missing and answer.verdict in (Verdict.SENT, Verdict.UNSURE)):
        # It leaves out what is known as sent, and what was perhaps sent where that may be only once.
        return answer
    said = _said(case, run)
    if answer.verdict is Verdict.SENT:
        return replace(answer, evidence=(*answer.evidence, said))
    words = f"by {run.who}, by hand: in a run of the past that began at {case.clock(run.at)}"
    sent = case.sent(f" {words}", (said, *answer.evidence))
    return replace(sent, task_id=task_id(name_at(case.facts, run.at), case.tick))


def _covers(run: PastRecord, case: Case) -> bool:
    facts = case.facts
    if not run.covers(_candidate(facts, name_at(facts, run.at)), case.tick):
        return False
    # With `--missing` it leaves out schedules that are disabled.
    spec = spec_at(facts, run.at) if run.missing else None
    return spec is None or spec.enabled


def _candidate(facts: Facts, name: str) -> Candidate:
    spec = facts.row.spec if facts.row else None
    queue = None if spec is None else spec.queue
    if facts.managed is None:
        return Candidate(name, queue=queue)
    people = facts.managed.people
    return Candidate(name, facts.managed.set, queue, people.owner, people.labels)


def _said(case: Case, run: PastRecord) -> Evidence:
    began = f"a run of the past that {run.who} began at {case.clock(run.at)}"
    if run.missing:
        return inferred(
            f"{began} with `--missing` has passed this tick, and sent it unless it was known as sent", "audit"
        )
    return seen(f"{began} has sent it", "audit", run.at)
