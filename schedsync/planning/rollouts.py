"""Decides how a rollout goes on, from the first runs after its apply. Pure."""

from __future__ import annotations

from schedsync.core.first_run import BY_THE_CHANGE, FirstRuns
from schedsync.core.names import and_more
from schedsync.core.rollout import Rollout, RolloutState

#: How many bad first runs the reason of a rollback names.
_NAMED = 3


def next_state(rollout: Rollout, known: FirstRuns) -> RolloutState:
    """Return the state after a look: a failure counts at once, all else when it can no longer change by the deadline.

    A run that is only overdue rolls nothing back: Beat does not send, and that is not the change's fault.
    """
    if any(run.verdict in BY_THE_CHANGE for run in known.runs):
        return RolloutState.UNDOING if rollout.on_failure == "rollback" else RolloutState.FAILED
    is_over = known.now >= rollout.deadline
    if not is_over and (known.bad or known.is_open(rollout.deadline)):
        return RolloutState.WATCHING
    return RolloutState.FAILED if known.bad else RolloutState.PASSED


def text_of(known: FirstRuns) -> str:
    """Return why a rollout ends: the first bad runs, which is the reason of a rollback; else how many ended how."""
    if not known.bad:
        return ", ".join(f"{count:,} {verdict.replace('_', ' ')}" for verdict, count in known.counts().items())
    said = "; ".join(f"{run.name}: {run.words}" for run in known.bad[:_NAMED])
    return f"first run failed: {said}{and_more(len(known.bad), _NAMED)}"
