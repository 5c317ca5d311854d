"""One turn of an agent: what the remote says is fetched, checked and applied, and the tables are kept so.

A turn never raises because of the remote, a commit or the tables: what is wrong is part of what it returns. The last
good commit stays the one that is kept.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from schedsync.core.change import Change
from schedsync.core.masked_errors import masked_error
from schedsync.core.refusal import Limits, Refusal
from schedsync.database.faults import database_errors
from schedsync.database.transaction import WaitOptions
from schedsync.errors import Failed, Refused, SchedsyncError
from schedsync.git.following import next_commit
from schedsync.git.mirror import Followed, Mirror
from schedsync.git.signatures import Keys
from schedsync.planning.outcome import Outcome
from schedsync.planning.plan import Plan
from schedsync.usecases import sync
from schedsync.usecases.committed import Committed
from schedsync.usecases.target import Target

logger = logging.getLogger(__name__)

#: The code of the refusal of an agent that acts no longer.
LOST = "not_acting"


@dataclass(frozen=True, slots=True)
class Kept:
    """What one agent keeps: the set at ``path`` of the remote, in one environment of one database.

    ``path`` is None for what the configuration says. ``heals`` undoes edits by others, ``allow_rewind`` follows a
    branch backwards. ``keys`` are those of which one must have signed. ``lock_seconds`` is for the apply lock.
    """

    using: str
    environment: str | None = None
    path: PurePosixPath | None = None
    heals: bool = False
    allow_rewind: bool = False
    keys: Keys | None = None
    lock_seconds: float = 10.0
    settle: float = 6.0


@dataclass(frozen=True, slots=True)
class Turn:
    """What a turn found and did.

    ``commit`` is the one that is kept now, None before the first. ``fetch_problem`` is why the remote gave no commit,
    ``problem`` why the commit ``tried`` was not applied, or the tables could not be kept. ``left`` are edits by others
    that were left, and ``held`` the names of schedules that people have stopped.
    """

    commit: str | None = None
    name: str = ""
    tried: str | None = None
    fetch_problem: SchedsyncError | None = None
    problem: SchedsyncError | None = None
    outcome: Outcome | None = None
    left: tuple[Change, ...] = ()
    held: tuple[str, ...] = ()


@dataclass
class Turns:
    """The turns of one agent; ``stop`` says that it ends, and ``fence`` why it may not write, if so."""

    kept: Kept
    mirror: Mirror
    stop: Callable[[], bool] = lambda: False
    fence: Callable[[], tuple[Refusal, ...]] = tuple
    sleep: Callable[[float], None] = time.sleep
    _targets: dict[str, Target] = field(default_factory=dict)

    def turn(self, *, fetches: bool = True, skips: str | None = None) -> Turn:
        """Take one turn. Without ``fetches`` the remote is not asked; the commit ``skips`` is not tried now."""
        turn = Turn(self.mirror.applied)
        found: Followed | None = None
        if fetches:
            try:
                found = next_commit(self.mirror, self.kept.keys, allow_rewind=self.kept.allow_rewind, stop=self.stop)
            except SchedsyncError as error:
                turn = replace(turn, fetch_problem=error)
        if found is not None:
            turn = replace(turn, name=found.name)
        if found is not None and found.commit not in (turn.commit, skips):
            turn = self._tried(turn, found.commit)
        if turn.outcome is None and turn.commit is not None and not self.stop():
            turn = self._kept(turn, turn.commit)
        return turn

    def _tried(self, turn: Turn, commit: str) -> Turn:
        turn = replace(turn, tried=commit)
        self._targets = {known: target for known, target in self._targets.items() if known in (turn.commit, commit)}
        try:
            turn = self._applied(turn, commit)
        except SchedsyncError as error:
            return replace(turn, problem=error)
        except Exception as error:
            # One commit that finds a bug of ours must not stop what keeps the last good one.
            hidden = masked_error(error)
            logger.error("commit %s cannot be applied", commit[:12], exc_info=hidden, extra={"commit": commit})
            return replace(turn, problem=Failed(f"a bug of schedsync: {hidden!r}"[:300]))
        self.mirror.note_applied(commit)
        self._targets = {commit: self._targets[commit]}
        return replace(turn, commit=commit)

    def _kept(self, turn: Turn, commit: str) -> Turn:
        """Keep the tables as the last good commit says; writes nothing, also no note, where they are so."""
        try:
            with database_errors(self.kept.using):
                plan = sync.plan(self._target(commit))
            turn = _with(turn, plan)
            return self._applied(turn, commit) if plan.writes else turn
        except SchedsyncError as error:
            return turn if turn.problem is not None else replace(turn, problem=error, tried=commit)

    def _applied(self, turn: Turn, commit: str) -> Turn:
        plans: list[Plan] = []

        def agree(plan: Plan) -> bool:
            plans.append(plan)
            return not self.stop()

        wait = WaitOptions(settle=self.kept.settle, lock=self.kept.lock_seconds, sleep=self.sleep)
        with database_errors(self.kept.using):
            outcome = sync.apply(self._target(commit), agree, wait, note=logger.info)
        if outcome is None:
            raise Failed("the agent stops")
        return replace(_with(turn, plans[-1]), outcome=outcome)

    def _target(self, commit: str) -> Target:
        """Return the set in a commit; it is read once."""
        if commit not in self._targets:
            committed = Committed(self.mirror.repository, commit, self.mirror.remote.url, self.kept.path)
            config = committed.config()
            limits = config.limited(Limits(allow_older=self.kept.allow_rewind))
            target = Target(config, self.kept.using, self.kept.environment, limits, committed=committed)
            self._targets[commit] = replace(target, leaves_drift=not self.kept.heals, fence=self.fence)
        return self._targets[commit]


def _with(turn: Turn, plan: Plan) -> Turn:
    return replace(turn, left=plan.left, held=tuple(held.name for held in plan.held))


def is_lost(error: SchedsyncError | None) -> bool:
    """Say whether an agent was refused only because another one acts."""
    return isinstance(error, Refused) and {refusal.code for refusal in error.refusals} == {LOST}
