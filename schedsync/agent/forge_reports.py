"""What a forge is told after each turn: in a thread of its own, so that a forge that hangs delays no turn.

What could not be told is tried again after a later turn; a newer state of the same commit takes its place.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from schedsync.agent.pace import Pace
from schedsync.core.commit_report import CommitReport, Section
from schedsync.core.origin import Web
from schedsync.forges.forge import LONGEST_DESCRIPTION, Forge, Status
from schedsync.forges.settings import forge_of, report_url
from schedsync.git.remote import Remote
from schedsync.http.errors import ServiceAway, ServiceError
from schedsync.render.comment.commit_report import comment, description
from schedsync.usecases.agent import Turn
from schedsync.usecases.report_back import CommitReports, Telling, context_of, place_of, tell

logger = logging.getLogger(__name__)

#: Seconds after which a forge that failed is asked again; it becomes more, at most five minutes.
_AGAIN = 10.0
#: Seconds between two reports of a commit in the same state, such as edits by others that come and go. GitHub takes
#: 1,000 statuses of a commit.
_CALM = 300.0
#: The commits that are remembered.
_MOST = 100
#: The set of a repository that names none.
_DEFAULT = "default"

Sections = Callable[[str], Sequence[Section]]
#: A forge, what it is told, and whether this process knows more than a status of an earlier process.
_Waiting = tuple[Forge, Telling, bool]


@contextmanager
def reporting(remotes: Iterable[Remote], patience: float) -> Iterator[tuple[Callable[[Turn], None], ...]]:
    """Yield what is to be called with each turn of agents that follow these remotes: nothing without a token for one.

    At the end of the block, what is being told has ``patience`` seconds. Raises WrongUsage for a wrong setting.
    """
    reports = ForgeReports()
    names = sorted({name for remote in remotes if (name := reports.prepare(remote))})
    if not names:
        yield ()
        return
    logger.info("tells %s what becomes of each commit", " and ".join(names))
    try:
        yield (reports,)
    finally:
        reports.wait(patience)


@dataclass
class _Told:
    """What a forge was told of a commit last, and when, by the monotonic clock."""

    digest: str
    state: str
    at: float


@dataclass
class ForgeReports:
    """Tells the forges of the remotes what became of each commit; call it with each turn, and it raises nothing.

    ``sections`` returns what else there is to say of a commit.
    """

    sections: Sections = lambda _commit: ()
    clock: Callable[[], float] = time.monotonic
    _reports: dict[str, CommitReports] = field(default_factory=dict)
    _forges: dict[str, tuple[Forge, str] | None] = field(default_factory=dict)
    _told: dict[tuple[str, str], _Told] = field(default_factory=dict)
    _waiting: dict[tuple[str, str], _Waiting] = field(default_factory=dict)
    _thread: threading.Thread | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _problem: str = ""

    def __post_init__(self) -> None:
        self._pace = Pace(_AGAIN, self.clock)

    def __call__(self, turn: Turn) -> None:
        """Note what is new in a turn, and tell it, or what could not be told before."""
        found = self._forge(turn.remote) if turn.remote else None
        if turn.remote is not None and found is not None:
            # Agents of several sets and environments can follow one remote.
            context = context_of(None if turn.set == _DEFAULT else turn.set, turn.environment)
            reports = self._reports.setdefault(f"{turn.remote.url} {context}", CommitReports())
            for report in reports.of(turn):
                self._add(found, context, turn.remote, report)
        self._start()

    def prepare(self, remote: Remote) -> str | None:
        """Return the name of the forge that will be told; None without one. Raises WrongUsage for a wrong setting."""
        report_url()
        found = self._forge(remote)
        return found[0].name if found else None

    def _forge(self, remote: Remote) -> tuple[Forge, str] | None:
        if remote.url not in self._forges:
            place = place_of(remote)
            self._forges[remote.url] = forge_of(place) if place else None
        return self._forges[remote.url]

    def _add(self, found: tuple[Forge, str], context: str, remote: Remote, report: CommitReport) -> None:
        forge, address = found
        report = replace(report, sections=tuple(self.sections(report.commit)))
        web = Web(address, "github" if forge.name == "github" else "gitlab", report.commit, report.commit)
        scope = context.removeprefix("schedsync").removeprefix("/") or _DEFAULT
        status = Status(context, report.state, description(report, LONGEST_DESCRIPTION), report_url())
        branch = remote.branch if remote.tags is None else ""
        telling = Telling(report.commit, status, comment(report, scope, web), report.needs_a_look, branch)
        is_known = report.needs_a_look or report.counts is not None
        with self._lock:
            key = (report.commit, context)
            if self._is_new(key, telling):
                self._waiting[key] = (forge, telling, is_known)
            else:
                self._waiting.pop(key, None)

    def _is_new(self, key: tuple[str, str], telling: Telling) -> bool:
        told = self._told.get(key)
        if told is None or told.digest == telling.digest:
            return told is None
        return told.state != telling.status.state or self.clock() - told.at >= _CALM

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None or not self._waiting or not self._pace.is_due:
                return
            self._thread = threading.Thread(target=self._tell_all, name="schedsync-forge", daemon=True)
            self._thread.start()

    def wait(self, seconds: float) -> None:
        """Wait until what is being told is told, at most so long."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)

    def _tell_all(self) -> None:
        tried: set[str] = set()
        while (found := self._next(tried)) is not None:
            key, (forge, telling, is_known) = found
            tried.add(telling.digest)
            try:
                tell(forge, telling, is_known=is_known)
            except ServiceError as error:
                self._failed(forge, telling, str(error))
                if isinstance(error, ServiceAway):
                    return self._end()
            except Exception as error:
                # What a forge answers must not end the reports of this agent.
                logger.exception("a report could not be made", extra={"commit": telling.commit})
                self._failed(forge, telling, repr(error))
            else:
                self._done(key, forge, telling)

    def _next(self, tried: set[str]) -> tuple[tuple[str, str], _Waiting] | None:
        """Return what waits and was not tried by this thread; without any the thread ends."""
        with self._lock:
            found = next((each for each in self._waiting.items() if each[1][1].digest not in tried), None)
            if found is None:
                self._thread = None
            return found

    def _end(self) -> None:
        with self._lock:
            self._thread = None

    def _done(self, key: tuple[str, str], forge: Forge, telling: Telling) -> None:
        if self._problem:
            logger.info("%s is told again", forge.name, extra={"commit": telling.commit})
        self._problem, self._pace.failures = "", 0
        with self._lock:
            if (waiting := self._waiting.get(key)) is not None and waiting[1] is telling:
                del self._waiting[key]
            self._told[key] = _Told(telling.digest, telling.status.state, self.clock())
            while len(self._told) > _MOST:
                del self._told[next(iter(self._told))]

    def _failed(self, forge: Forge, telling: Telling, problem: str) -> None:
        if problem != self._problem:
            text = "%s is not told of commit %s, and it is tried again: %s"
            logger.warning(text, forge.name, telling.commit[:12], problem, extra={"commit": telling.commit})
        self._problem = problem
        self._pace.done(failed=True)
        with self._lock:
            while len(self._waiting) > _MOST:
                del self._waiting[next(iter(self._waiting))]
