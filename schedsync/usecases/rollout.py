"""Goes on with the newest rollout of a set: looks at its first runs, and rolls the apply back where that is configured.

Every process may look, and each may die at any point: the state is in a table, one process makes each change of it,
and the next look goes on from there.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace

from schedsync.core.adoption import Adoption
from schedsync.core.first_run import FirstRuns
from schedsync.core.names import shortened
from schedsync.core.refusal import Limits, Refusal
from schedsync.core.rollout import BAD_STATES, UNFINISHED, Rollout, RolloutState
from schedsync.database.faults import database_errors
from schedsync.database.rollouts import change_state, find_rollout, is_in, last_rollout
from schedsync.database.transaction import WaitOptions
from schedsync.errors import Failed, Locked, Refused, SchedsyncError, Stale, Unavailable
from schedsync.planning.rollouts import next_state, text_of
from schedsync.usecases.agent import is_lost
from schedsync.usecases.alarms import Say, tell_rollout
from schedsync.usecases.first_runs import Ask, first_runs
from schedsync.usecases.rollback import RollbackOrder, rollback
from schedsync.usecases.target import Target
from schedsync.usecases.task_results import outcomes

_LONGEST = 1000
_WAIT = WaitOptions(lock=10.0)
_SUPERSEDED = Refusal("superseded", "a newer apply of the set came before the rollback", "nothing is to be done")


@dataclass(frozen=True, slots=True)
class RolloutReport:
    """A rollout that this look has ended, with its new state, and the first runs that it was ended for."""

    rollout: Rollout
    first_runs: FirstRuns

    @property
    def is_bad(self) -> bool:
        """Whether somebody has to know."""
        return self.rollout.state in BAD_STATES


def look(target: Target, say: Say, known: FirstRuns | None = None, ask: Ask = outcomes) -> RolloutReport | None:
    """Go on with the newest rollout of the target's set; returns its report to the one process that has ended it.

    Returns None where there is none, it is not decided yet, or another process has ended it. ``known`` is what the
    caller knows of its first runs. ``say`` gets a message if an alarm cannot be sent. Raises Unavailable where the
    database does not answer.
    """
    with database_errors(target.using):
        rollout = last_rollout(target.using, target.config.set)
    if rollout is None:
        return None
    report = _gone_on(target, rollout, known, ask) if rollout.state in UNFINISHED else None
    ended = report.rollout if report is not None else rollout
    if ended.state in BAD_STATES:
        # A process that ended it may have died before it could tell.
        tell_rollout(target, ended, say)
    return report


def unfinished_run(target: Target) -> uuid.UUID | None:
    """Return the run of the set's rollout that somebody has to go on with, or None."""
    with database_errors(target.using):
        rollout = last_rollout(target.using, target.config.set)
    return rollout.run if rollout is not None and rollout.state in UNFINISHED else None


def rollout_of(using: str, set_name: str | None, commit: str, run: uuid.UUID | None = None) -> Rollout | None:
    """Return the rollout of an apply: of the one with this audit record, else the newest of a commit; None without.

    It is one of the set, which may be None where its name is not known.
    """
    with database_errors(using):
        return find_rollout(using, set_name, commit, run)


def _gone_on(target: Target, rollout: Rollout, known: FirstRuns | None, ask: Ask) -> RolloutReport | None:
    if known is None or known.run != rollout.run:
        try:
            known = first_runs(target.using, rollout.run, ask)
        except Failed as error:
            # Without its record nobody can ever judge it.
            _end(target.using, rollout, RolloutState.SUPERSEDED, error.message)
            return None
    if rollout.state is RolloutState.WATCHING:
        state = next_state(rollout, known)
        if state is RolloutState.WATCHING:
            return None
        moved = _end(target.using, rollout, state, text_of(known))
        if moved is None:
            return None
        rollout = moved
    if rollout.state is RolloutState.UNDOING:
        return _undone(target, rollout, known)
    return RolloutReport(rollout, replace(known, rollout=rollout))


def _end(using: str, rollout: Rollout, state: RolloutState, text: str) -> Rollout | None:
    """Return the rollout with a new state; None where another process has changed it."""
    text = shortened(text, _LONGEST)
    with database_errors(using):
        is_changed = change_state(using, rollout, state, text)
    return replace(rollout, state=state, text=text) if is_changed else None


def _undone(target: Target, rollout: Rollout, known: FirstRuns) -> RolloutReport | None:
    """Roll the apply back, by the rules of every rollback; None where the next look has to try it again."""
    state, text = RolloutState.ROLLED_BACK, rollout.text
    try:
        _roll_back(target, rollout)
    except (Locked, Stale, Unavailable):
        return None
    except SchedsyncError as error:
        if is_lost(error):
            return None
        state, text = RolloutState.REFUSED, f"{_words(error)}; {rollout.text}"
    ended = _end(target.using, rollout, state, text)
    return None if ended is None else RolloutReport(ended, replace(known, rollout=ended))


def _roll_back(target: Target, rollout: Rollout) -> None:
    """Raise what a rollback raises; one that another process has made already changes nothing."""
    using, run = target.using, rollout.run

    def fence() -> tuple[Refusal, ...]:
        is_current = is_in(using, run, RolloutState.UNDOING)
        return (*target.fence(), *(() if is_current else (_SUPERSEDED,)))

    # What lifts a rule was given for the apply.
    limits = target.config.limited(Limits())
    way = replace(target, limits=limits, adopt=Adoption(), fence=fence)
    rollback(way, RollbackOrder(str(run), None, rollout.text), lambda _way: True, _WAIT, pinned=False)


def _words(error: SchedsyncError) -> str:
    if isinstance(error, Refused):
        return "; ".join(refusal.message for refusal in error.refusals)
    return error.message
