"""What became of the commits of an agent's turn, and how a forge is told: each state of a commit once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from schedsync.core.commit_report import CommitReport, State
from schedsync.core.freeze import FROZEN
from schedsync.errors import (
    CommitRefused,
    InvalidConfiguration,
    InvalidSet,
    Locked,
    Refused,
    SchedsyncError,
    Stale,
    Unavailable,
    WrongUsage,
)
from schedsync.forges.forge import Forge, Status
from schedsync.forges.settings import SECONDS
from schedsync.git.origin import canonical_url
from schedsync.git.remote import Remote
from schedsync.planning.outcome import Outcome
from schedsync.usecases.agent import Turn, is_lost

#: What these say is about the commit. Others can quote the database or the application, which a forge must not learn.
_TOLD = (InvalidConfiguration, WrongUsage)
_WAITS = (Locked, Stale, Unavailable)
#: With this word each context begins.
_PROGRAM = "schedsync"
#: The set of a repository that names none, and Django's alias of the first database. Neither is named.
_DEFAULT = "default"


@dataclass
class CommitReports:
    """What became of the commits of one agent's turns; it remembers what was applied."""

    _applied: tuple[str, Outcome] | None = None
    _unconfirmed: tuple[str, ...] = ()

    def of(self, turn: Turn) -> list[CommitReport]:
        """Return what is known after a turn: of the commit that is kept, and of those that were not applied."""
        return [*self._of_kept(turn), *self._of_failed(turn), *self._of_refused(turn)]

    def _of_kept(self, turn: Turn) -> Iterator[CommitReport]:
        if turn.commit is None or (turn.problem is not None and turn.tried == turn.commit):
            return
        if turn.outcome is not None:
            self._unconfirmed = turn.outcome.unconfirmed
            if turn.tried == turn.commit:
                self._applied = (turn.commit, turn.outcome)
        state: State = "failure" if self._unconfirmed else "success"
        left = tuple(sorted(change.name for change in turn.left))
        report = CommitReport(turn.commit, state, left=left, held=turn.held, unconfirmed=self._unconfirmed)
        if self._applied is not None and self._applied[0] == turn.commit:
            report = replace(report, counts=self._applied[1].summary(), run=self._applied[1].run)
        yield report

    def _of_failed(self, turn: Turn) -> Iterator[CommitReport]:
        error = turn.problem
        if error is None or turn.tried is None or turn.tried == turn.commit or is_lost(error):
            return
        yield failed(turn.tried, error)

    def _of_refused(self, turn: Turn) -> Iterator[CommitReport]:
        """Yield the report of a commit that the remote has and the agent may not apply.

        One that is kept already stays a success: its key may have expired since.
        """
        error = turn.fetch_problem
        if isinstance(error, CommitRefused) and error.commit != turn.commit:
            yield failed(error.commit, error)


def failed(commit: str, error: SchedsyncError) -> CommitReport:
    """Return the report of a commit that was not applied because of an error."""
    report = CommitReport(commit, "failure")
    if isinstance(error, InvalidSet):
        found = tuple(finding for finding in error.findings if finding.severity == "error")
        return replace(report, findings=found)
    if isinstance(error, Refused):
        waits = all(refusal.code == FROZEN for refusal in error.refusals)
        return replace(report, refusals=error.refusals, state="pending" if waits else "failure")
    if isinstance(error, _WAITS):
        return replace(report, state="pending", problem="it could not be applied yet, and is tried again")
    if isinstance(error, _TOLD):
        return replace(report, problem=error.message, hint=error.hint)
    return replace(report, problem="it could not be applied; the log of the agent says why")


@dataclass(frozen=True, slots=True)
class Telling:
    """What a forge is told of one commit; ``makes_comment`` is false where nothing is worth a comment."""

    commit: str
    status: Status
    comment: str
    makes_comment: bool
    branch: str

    @property
    def digest(self) -> str:
        """Tells two of them apart."""
        text = "\0".join((self.commit, *map(str, (self.status.state, self.status.description)), self.comment))
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def tell(forge: Forge, telling: Telling, *, is_known: bool) -> None:
    """Tell a forge what became of a commit, unless it shows that already; raises ServiceError.

    With ``is_known`` this process applied the commit or failed to. Otherwise it only finds it applied: then a status
    that is there, of the process before this one, says more.
    """
    # Imported here: only what talks to a forge needs urllib3.
    from schedsync.http.client import Budget

    forge.client.budget = Budget(SECONDS)
    status = telling.status
    there = forge.status(telling.commit, status.context)
    if there is not None and there[0] == status.state and not is_known:
        return
    if there != (status.state, status.description):
        forge.set_status(telling.commit, status, telling.branch)
    number = forge.merged(telling.commit, telling.branch)
    if number is not None:
        forge.comment(number, marker_of(status.context), telling.comment, makes=telling.makes_comment)


def marker_of(context: str) -> str:
    """Return the first line of our comment, which finds it again; nothing in a context can end it."""
    return f"<!-- schedsync report {hashlib.sha256(context.encode()).hexdigest()[:16]} -->"


def context_of(turn: Turn) -> str:
    """Return the context of the statuses of a turn's set in its environment and database, which tells them apart."""
    names = (None if turn.set == _DEFAULT else turn.set, turn.environment)
    context = "/".join([_PROGRAM, *filter(None, names)])
    return context if turn.using == _DEFAULT else f"{context}@{turn.using}"


def scope_of(context: str) -> str:
    """Return the name of a context for people: without the name of this program."""
    return context.removeprefix(_PROGRAM).removeprefix("/") or _DEFAULT


def host_and_path(remote: Remote) -> str | None:
    """Return `host/path` of a remote; None for one that is no URL. The port of ssh is none of its web server."""
    place = canonical_url(remote.url)
    if place is None or remote.protocols != "ssh":
        return place
    host, slash, path = place.partition("/")
    return f"{host.partition(':')[0]}{slash}{path}"
