"""What a task did with its message, where a result backend knows it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from schedsync.core.timing import moment
from schedsync.core.why import Answer, Evidence, Kind, Outcome, Verdict

#: The exceptions that a worker records without having run the task.
NOT_RUN = {
    "TaskRevokedError": "it had expired in its queue, or was revoked",
    "NotRegistered": "the worker does not know the task",
}


def with_outcome(name: str, answer: Answer, outcome: Outcome, now: datetime) -> Answer:
    """Return an answer about a message with what its task did; an answer about no message stays as it is."""
    if answer.task_id is None:
        return answer
    told = replace(answer, outcome=outcome, evidence=(*answer.evidence, _evidence(outcome, now)))
    reason = NOT_RUN.get(outcome.error)
    if reason is not None and answer.verdict in (Verdict.SENT, Verdict.UNSURE):
        sentence = f"{answer.sentence}, but no worker ran it: {reason}"
        return replace(told, verdict=Verdict.NOT_RUN, sentence=sentence, because=f"{answer.because}; {reason}")
    if outcome.state is not None and answer.verdict in (Verdict.UNSURE, Verdict.UNKNOWN):
        sentence = f"{name} was sent: a worker has its task ({outcome.state})"
        return replace(told, verdict=Verdict.SENT, sentence=sentence, because=f"sent; {answer.because}")
    return told


def _evidence(outcome: Outcome, now: datetime) -> Evidence:
    if outcome.state is None:
        return Evidence(Kind.UNKNOWN, f"the outcome of the task: {outcome.trouble}", "results")
    ended = f" at {moment(outcome.at, now=now)} UTC" if outcome.at else ""
    error = f", {outcome.error}" if outcome.error else ""
    return Evidence(Kind.SEEN, f"the result backend has {outcome.state}{ended}{error}", "results", outcome.at)
