"""The first runs after an apply, in words; each format styles them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from schedsync.core.first_run import BAD, FirstRun, FirstRuns, FirstRunVerdict
from schedsync.core.names import and_more
from schedsync.core.rollout import RolloutState
from schedsync.core.timing import instant_text

#: How many runs of one verdict are written with their words.
_NAMED = 10
_WORDS = {
    FirstRunVerdict.WAITING: "not due yet",
    FirstRunVerdict.RUNNING: "not ended",
    FirstRunVerdict.GOOD: "good",
    FirstRunVerdict.FAILED: "failed",
    FirstRunVerdict.REJECTED: "rejected",
    FirstRunVerdict.NEVER_RECEIVED: "never received",
    FirstRunVerdict.OVERDUE: "overdue",
    FirstRunVerdict.UNKNOWN: "not known",
}
_ENDS = {
    RolloutState.ROLLED_BACK: "Rolled back",
    RolloutState.REFUSED: "The rollback was refused, so the apply is left as it is",
    RolloutState.UNDOING: "To be rolled back at the next look",
}
#: The order in which people read them; good ones are only counted.
_LISTED = (*BAD, FirstRunVerdict.UNKNOWN, FirstRunVerdict.RUNNING, FirstRunVerdict.WAITING)


def counts_text(value: FirstRuns) -> str:
    """Write how many first runs have which verdict: "2 good, 1 failed"; "none to watch" without any."""
    counts = value.counts()
    said = (f"{counts[verdict.value]:,} {_WORDS[verdict]}" for verdict in FirstRunVerdict if verdict.value in counts)
    return ", ".join(said) or "none to watch"


def run_line(run: FirstRun) -> str:
    """Write one first run."""
    return f"{_WORDS[run.verdict]}: {run.name}: {run.words}"


def run_lines(value: FirstRuns) -> Iterator[tuple[FirstRunVerdict, str]]:
    """Yield a line for each run that is not good, the worst first, with its verdict; at most ten of each verdict."""
    for verdict in _LISTED:
        found = [run for run in value.runs if run.verdict is verdict]
        yield from ((verdict, run_line(run)) for run in found[:_NAMED])
        if more := and_more(len(found), _NAMED):
            yield verdict, f"{_WORDS[verdict]}:{more}"


def rollout_line(value: FirstRuns) -> str:
    """Write what became of the apply; empty where nothing did."""
    rollout = value.rollout
    return "" if rollout is None or rollout.state not in _ENDS else f"{_ENDS[rollout.state]}: {rollout.text}"


def first_runs_document(value: FirstRuns) -> dict[str, Any]:
    """Return the first runs as JSON values."""
    return {
        "run": str(value.run),
        "at": instant_text(value.now),
        "counts": value.counts(),
        "runs": [
            {
                "name": run.name,
                "verdict": run.verdict.value,
                "words": run.words,
                "tick": instant_text(run.tick) if run.tick else None,
                "task_id": run.task_id,
            }
            for run in value.runs
        ],
        "rollout": value.rollout and {"state": value.rollout.state.value, "text": value.rollout.text},
    }
