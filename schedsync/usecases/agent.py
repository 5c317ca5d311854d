"""One turn of a follow of an agent: what the remote says is fetched, checked and applied, and the tables are kept so.

A turn never raises because of the remote, a commit or the tables: what is wrong is part of what it returns. The last
good commit stays the one that is kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from schedsync.core.change import Change
from schedsync.core.masked_errors import masked_error
from schedsync.core.refusal import Limits, Refusal
from schedsync.database.faults import database_errors
from schedsync.database.transaction import WaitOptions
from schedsync.errors import CommitRefused, Failed, Refused, SchedsyncError
from schedsync.git.following import may_follow, next_commit
from schedsync.git.mirror import Followed, Mirror
from schedsync.git.remote import Remote
from schedsync.git.signatures import Keys
from schedsync.planning.outcome import Outcome
from schedsync.planning.plan import Plan
from schedsync.usecases import sync
from schedsync.usecases.committed import Committed
from schedsync.usecases.follow_logger import DEFAULT, FollowLogger
from schedsync.usecases.last_good import applied_commits
from schedsync.usecases.target import Target

#: The code of the refusal of an agent that acts no longer.
LOST = "not_acting"


@dataclass(frozen=True, slots=True)
class Kept:
    """What one follow keeps: the set at ``path`` of the remote, in one environment of one database.

    ``path`` is None for what the configuration says. ``heals`` undoes edits by others, ``allow_rewind`` follows a
    branch backwards. ``keys`` are those of which one must have signed. ``lock_seconds`` is for the apply lock. ``set``
    is the name that the set must have, None for any. ``name`` is that of the follow, for people.
    """

    using: str
    environment: str | None = None
    path: PurePosixPath | None = None
    heals: bool = False
    allow_rewind: bool = False
    keys: Keys | None = None
    lock_seconds: float = 10.0
    settle: float = 6.0
    set: str | None = None
    name: str = DEFAULT


@dataclass(frozen=True, slots=True)
class Fetched:
    """What the remote gave: what is to be applied next, or why there is nothing."""

    found: Followed | None = None
    problem: SchedsyncError | None = None

    @property
    def head(self) -> str | None:
        """The id of the commit that the remote has, also if it may not be applied; None where it is not known."""
        if isinstance(self.problem, CommitRefused):
            return self.problem.commit
        return self.found.commit if self.found else None


@dataclass(frozen=True, slots=True)
class Turn:
    """What a turn found and did.

    ``commit`` is the one that is kept now, None before the first. ``fetch_problem`` is why the remote gave no commit,
    ``problem`` why the commit ``tried`` was not applied, or the tables could not be kept. ``left`` are edits by others
    that were left, and ``held`` the names of schedules that people have stopped.

    ``follow`` names what was followed. ``name`` is the branch or the tag where the remote was asked, and ``remote`` its
    address. ``target`` is the set in the commit that was tried, or in the one that is kept where nothing was tried or
    its configuration cannot be read; None without both. With ``put_off`` the newest commit was not applied earlier,
    and is tried again later.
    """

    commit: str | None = None
    name: str = ""
    tried: str | None = None
    fetch_problem: SchedsyncError | None = None
    problem: SchedsyncError | None = None
    outcome: Outcome | None = None
    left: tuple[Change, ...] = ()
    held: tuple[str, ...] = ()
    put_off: bool = False
    follow: str = DEFAULT
    remote: Remote | None = None
    using: str = "default"
    environment: str | None = None
    target: Target | None = field(default=None, compare=False, repr=False)

    @property
    def asked(self) -> bool:
        """Whether the remote was asked."""
        return bool(self.name) or self.fetch_problem is not None

    @property
    def repository(self) -> str | None:
        """The address of the remote, without a user and a password."""
        return self.remote.shown if self.remote else None

    @property
    def set(self) -> str | None:
        """The name of the set, or None where no configuration could be read yet."""
        return self.target.config.set if self.target else None


@dataclass
class Turns:
    """The turns of one follow; ``stop`` says that the agent ends, and ``fence`` why it may not write, if so."""

    kept: Kept
    mirror: Mirror
    stop: Callable[[], bool] = lambda: False
    fence: Callable[[], tuple[Refusal, ...]] = tuple
    sleep: Callable[[float], None] = time.sleep
    _targets: dict[str, Target] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._logger = FollowLogger(__name__, self.kept.name)

    def fetch(self) -> Fetched:
        """Ask the remote; raises nothing.

        It uses no database, so that any thread may call it, but not while a turn is taken.
        """
        kept = self.kept
        try:
            return Fetched(next_commit(self.mirror, kept.keys, allow_rewind=kept.allow_rewind, stop=self.stop))
        except SchedsyncError as error:
            return Fetched(problem=error)
        except Exception as error:
            hidden = masked_error(error)
            self._logger.error("the remote cannot be asked", exc_info=hidden)
            return Fetched(problem=_bug(hidden))

    def turn(self, *, skips: str | None = None) -> Turn:
        """Ask the remote, and take the turn that follows."""
        return self.after(self.fetch(), skips=skips)

    def after(self, fetched: Fetched | None, *, skips: str | None = None) -> Turn:
        """Take the turn after a fetch, or without one; the commit ``skips`` is not tried now."""
        kept, found = self.kept, fetched.found if fetched else None
        turn = Turn(
            self.mirror.applied, found.name if found else "", fetch_problem=fetched.problem if fetched else None,
            follow=kept.name, remote=self.mirror.remote, using=kept.using, environment=kept.environment,
        )  # fmt: skip
        if found is not None and found.commit not in (turn.commit, skips):
            turn = self._tried(turn, found.commit)
        head = fetched.head if fetched else None
        if head not in (None, turn.commit) and not self.stop():
            turn = replace(turn, commit=self._applied_by_others(head) or turn.commit)
        if turn.outcome is None and turn.commit not in (None, turn.tried) and not self.stop():
            turn = self._kept(turn, turn.commit)
        return replace(turn, target=self._targets.get(turn.tried or "") or self._targets.get(turn.commit or ""))

    def _tried(self, turn: Turn, commit: str) -> Turn:
        turn = replace(turn, tried=commit)
        self._targets = {known: target for known, target in self._targets.items() if known in (turn.commit, commit)}
        try:
            turn = self._applied(turn, commit)
            self.mirror.note_applied(commit)
        except SchedsyncError as error:
            return replace(turn, problem=error)
        except Exception as error:
            # One commit that finds a bug of ours must not stop what keeps the last good one.
            hidden = masked_error(error)
            self._logger.error("commit %s cannot be applied", commit[:12], exc_info=hidden, extra={"commit": commit})
            return replace(turn, problem=_bug(hidden))
        self._targets = {commit: self._targets[commit]}
        return replace(turn, commit=commit)

    def _applied_by_others(self, head: str) -> str | None:
        """Return the commit that others applied since this agent did, as the last good one; None without one.

        The tables only propose it: the remote must have it in its history, signed where that is asked.
        """
        kept, judged = self.kept, {self.mirror.applied: False}
        try:
            for set_name, commit in applied_commits(kept.using, kept.environment):
                if commit not in judged:
                    judged[commit] = may_follow(self.mirror, commit, head, kept.keys, allow_rewind=kept.allow_rewind)
                if judged[commit] and self._is_of(commit, set_name):
                    self.mirror.note_applied(commit)
                    self._logger.info("commit %s was applied by others", commit[:12], extra={"commit": commit})
                    return commit
        except SchedsyncError as error:
            self._logger.info("it is not known what others applied: %s", error.message)
        except Exception as error:
            self._logger.error("it is not known what others applied", exc_info=masked_error(error))
        return None

    def _is_of(self, commit: str, set_name: str) -> bool:
        try:
            return self._target(commit).config.set == set_name
        except SchedsyncError:
            return False

    def _kept(self, turn: Turn, commit: str) -> Turn:
        """Keep the tables as the last good commit says; writes nothing, also no note, where they are so."""
        error: SchedsyncError
        try:
            with database_errors(self.kept.using):
                plan = sync.plan(self._target(commit))
            turn = _with(turn, plan)
            return self._applied(turn, commit) if plan.writes else turn
        except SchedsyncError as found:
            error = found
        except Exception as found:
            # Others that this agent follows must go on.
            hidden = masked_error(found)
            self._logger.error("commit %s cannot be kept", commit[:12], exc_info=hidden, extra={"commit": commit})
            error = _bug(hidden)
        return turn if turn.problem is not None else replace(turn, problem=error, tried=commit)

    def _applied(self, turn: Turn, commit: str) -> Turn:
        plans: list[Plan] = []

        def agree(plan: Plan) -> bool:
            plans.append(plan)
            return not self.stop()

        wait = WaitOptions(settle=self.kept.settle, lock=self.kept.lock_seconds, sleep=self.sleep)
        with database_errors(self.kept.using):
            outcome = sync.apply(self._target(commit), agree, wait, note=self._logger.info)
        if outcome is None:
            raise Failed("the agent stops")
        return replace(_with(turn, plans[-1]), outcome=outcome)

    def _target(self, commit: str) -> Target:
        """Return the set in a commit; it is read once."""
        if commit not in self._targets:
            committed = Committed(self.mirror.repository, commit, self.mirror.remote.url, self.kept.path)
            config = committed.config()
            self._check_set(config.set)
            limits = config.limited(Limits(allow_older=self.kept.allow_rewind))
            target = Target(config, self.kept.using, self.kept.environment, limits, committed=committed)
            self._targets[commit] = replace(target, leaves_drift=not self.kept.heals, fence=self.fence)
        return self._targets[commit]

    def _check_set(self, name: str) -> None:
        """Raise Refused if the files say that they are of another set than this follow keeps."""
        if self.kept.set not in (None, name):
            message = f"the files are of set `{name}`, and `{self.kept.name}` keeps set `{self.kept.set}`"
            raise Refused([Refusal("other_set", message, "correct `set` in the files, or for the agent")])


def _with(turn: Turn, plan: Plan) -> Turn:
    return replace(turn, left=plan.left, held=tuple(held.name for held in plan.held))


def _bug(error: Exception) -> Failed:
    return Failed(f"a bug of schedsync: {error!r}"[:300])


def is_lost(error: SchedsyncError | None) -> bool:
    """Say whether an agent was refused only because another one acts."""
    return isinstance(error, Refused) and {refusal.code for refusal in error.refusals} == {LOST}
