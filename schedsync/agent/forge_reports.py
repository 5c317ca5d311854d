"""What a forge is told after each turn: each state of a commit once, and again if that failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from schedsync.agent.background import Background, Job
from schedsync.core.commit_report import CommitReport, Section
from schedsync.core.origin import Web
from schedsync.forges.forge import LONGEST_DESCRIPTION, Forge, Status
from schedsync.forges.settings import forge_of, report_url
from schedsync.git.remote import Remote
from schedsync.render.comment.commit_report import comment, description
from schedsync.usecases.agent import Turn
from schedsync.usecases.report_back import CommitReports, Telling, context_of, host_and_path, scope_of, tell

#: Seconds between two reports of a commit in the same state, such as edits by others that come and go. GitHub takes
#: 1,000 statuses of a commit.
_CALM = 300.0
#: The commits that are remembered.
_MOST = 100

Sections = Callable[[Turn, CommitReport], Sequence[Section]]


@dataclass
class _Told:
    """What a forge was told of a commit last, and when, by the monotonic clock."""

    digest: str
    state: str
    at: float


@dataclass
class ForgeReports:
    """Tells the forges of the remotes what became of each commit; call it with each turn, and it raises nothing.

    ``sections`` returns what else there is to say of a commit after a turn; it is called in the thread of the turn.
    An agent of several databases has a thread for each. They share no lock: a database that hangs delays no other one.
    """

    sections: Sections = lambda _turn, _report: ()
    clock: Callable[[], float] = time.monotonic
    _reports: dict[str, CommitReports] = field(default_factory=dict)
    _forges: dict[str, tuple[Forge, str] | None] = field(default_factory=dict)
    _watched: dict[str, CommitReport] = field(default_factory=dict)
    _told: dict[tuple[str, str], _Told] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.background = Background("schedsync-forge", self.clock)

    def __call__(self, turn: Turn) -> None:
        """Note what is new in a turn, and tell it, or what could not be told before."""
        found = self._forge(turn.remote) if turn.remote else None
        if turn.remote is not None and found is not None:
            # Several sets, environments and databases can follow one remote: each has a context of its own.
            scope = f"{turn.remote.url} {context_of(turn)}"
            reports = self._reports.setdefault(scope, CommitReports()).of(turn)
            for report in [*self._watched_before(scope, turn), *reports]:
                told = report.with_sections(self.sections(turn, report))
                if report.commit == turn.commit and told.state == "pending":
                    self._watched[scope] = report
                self._add(found, turn, turn.remote, told)
        self.background.start()

    def _watched_before(self, scope: str, turn: Turn) -> Iterator[CommitReport]:
        """Yield the report of the commit that was watched until a newer one was applied: else it is pending forever."""
        watched = self._watched.get(scope)
        if watched is not None and turn.commit != watched.commit:
            yield self._watched.pop(scope)

    def prepare(self, remote: Remote) -> str | None:
        """Return the name of the forge that will be told; None without one. Raises WrongUsage for a wrong setting."""
        report_url()
        found = self._forge(remote)
        return found[0].name if found else None

    def _forge(self, remote: Remote) -> tuple[Forge, str] | None:
        if remote.url not in self._forges:
            place = host_and_path(remote)
            self._forges[remote.url] = forge_of(place) if place else None
        return self._forges[remote.url]

    def _add(self, found: tuple[Forge, str], turn: Turn, remote: Remote, report: CommitReport) -> None:
        (forge, address), context = found, context_of(turn)
        web = Web(address, "github" if forge.name == "github" else "gitlab", report.commit, report.commit)
        status = Status(context, report.state, description(report, LONGEST_DESCRIPTION), report_url())
        branch = remote.branch if remote.tags is None else ""
        telling = Telling(report.commit, status, comment(report, scope_of(context), web), report.needs_a_look, branch)
        is_known = report.needs_a_look or report.counts is not None
        key = (report.commit, context)
        job = Job(
            partial(tell, forge, telling, is_known=is_known),
            f"{forge.name} is not told of commit {report.commit[:12]}",
            report.commit,
            turn.follow,
            partial(self._done, key, telling),
        )
        self.background.put(key, job if self._is_new(key, telling) else None)

    def _is_new(self, key: tuple[str, str], telling: Telling) -> bool:
        told = self._told.get(key)
        if told is None or told.digest == telling.digest:
            return told is None
        return told.state != telling.status.state or self.clock() - told.at >= _CALM

    def _done(self, key: tuple[str, str], telling: Telling) -> None:
        self._told[key] = _Told(telling.digest, telling.status.state, self.clock())
        while len(self._told) > _MOST:
            del self._told[next(iter(self._told))]
