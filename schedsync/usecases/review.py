"""Reviews a change of the files by comparing two revisions; imports no Django."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from schedsync.config import DEFAULT_PATH
from schedsync.core.finding import Finding, in_order, naming_environments
from schedsync.core.schedule import Desired, Schedule
from schedsync.core.sources import no_sources
from schedsync.errors import WrongUsage
from schedsync.files.discover import printable_path
from schedsync.files.one_file import ReadFile
from schedsync.files.progress import Progress, silent
from schedsync.files.schedule_set import ScheduleSet, combine
from schedsync.git.origin import name_of
from schedsync.git.range import range_of
from schedsync.git.repository import Repository, open_repository
from schedsync.git.web import web_of
from schedsync.lint import lint_each, lint_packages, lint_whole
from schedsync.lint.rule import Context
from schedsync.review.novelty import Owners, new_findings
from schedsync.review.result import EnvironmentReview, Request, Review
from schedsync.review.safeguards import Guarantees, configuration, reowned
from schedsync.review.side import Side, read_revision, read_work_tree
from schedsync.review.suppressed import Suppressed


def review(request: Request, now: datetime, progress: Progress = silent) -> Review:
    """Compare the files of two revisions; no code of either is run.

    Raises WrongUsage where a revision cannot be found; its hint says what to fetch.
    """
    with open_repository(request.directory or Path(request.path or DEFAULT_PATH)) as repository:
        compared = range_of(repository, request.base, request.head)
        base, head = compared.base, compared.head
        before, after = _read(repository, base, head, request, progress)
        repository_name = name_of(repository, after.config.repository_url)
        web = web_of(repository, before.config.repository_url if before.config_known else None, base, head)
    if not before.there and not after.there:
        raise _nothing_there(before, after)
    environment = after.config.chosen(request.environment)
    chosen: Sequence[str | None] = [environment] if environment else after.config.environments or [None]
    from schedsync.planning.snapshot import check_set

    if request.snapshot is not None:
        check_set(request.snapshot, after.config.set)
    # The base decides who must approve, so that a change cannot remove them.
    approvals = {**after.config.approvals, **(before.config.approvals if before.there else {})}
    moved_submodules = list(_moved_submodules(before, after))
    comparison = _Comparison(request, before, after, now, approvals, len(moved_submodules))
    for found in (configuration(before, after, now), moved_submodules, _pointers(before, after)):
        comparison.add(found)
    for name in chosen:
        progress(f"comparing {name}" if name else "comparing")
        comparison.compare(name)
    comparison.add_safeguards()
    named = naming_environments(comparison.by_environment)
    findings = in_order(named.get(finding, finding) for finding in comparison.findings)
    new = frozenset(named.get(finding, finding) for finding in comparison.new)
    return Review(
        base, head, tuple(comparison.reviews), tuple(findings), new,
        compared.base_name, approvals, web, compared.head_name, repository_name,
    )  # fmt: skip


def _read(
    repository: Repository, base: str, head: str | None, request: Request, progress: Progress
) -> tuple[Side, Side]:
    """Return both sides; the files of the later side are read first, because the earlier side shares those alike."""
    sources = request.snapshot.source if request.snapshot else no_sources
    path, directory = request.path, request.directory
    if head is None:
        after = read_work_tree(repository, path, sources, progress, directory)
    else:
        after = read_revision(repository, head, path, sources, progress=progress, directory=directory)
    before = read_revision(repository, base, path, sources, after, progress, request.base_directory or directory)
    return before, after


def _nothing_there(before: Side, after: Side) -> WrongUsage:
    modules = [*after.submodules, *before.submodules]
    if modules:
        message = (
            f"`{after.path}` is in the submodule `{printable_path(modules[0])}`, whose files a review does not read"
        )
        return WrongUsage(message, hint="run `schedsync review` in the submodule")
    hint = "give the directory of the schedules as `--path`"
    return WrongUsage(f"there are no files at `{after.path}` on either side", hint=hint)


def _moved_submodules(before: Side, after: Side) -> Iterator[Finding]:
    """Yield an error for each submodule that is at another commit on the other side: an apply reads its files."""
    for path in sorted({*before.submodules, *after.submodules}):
        old, new = (side.submodules.get(path, "none")[:12] for side in (before, after))
        if old != new:
            message = f"the submodule `{printable_path(path)}` moves from {old} to {new}: its files are not compared"
            hint = "review it in its own repository, or keep the schedules in this one"
            yield Finding("SS165", message, after.place, hint)


def _pointers(before: Side, after: Side) -> Iterator[Finding]:
    """Yield an error for each file that only the base has as a pointer of Git LFS: nothing of it was compared."""
    old, new = (
        {each.location: each for each in side.reading.findings if each.code == "SS114"} for side in (before, after)
    )
    for place in (place for place in old if place not in new):
        message = "a Git LFS pointer before the change: its schedules are not compared"
        yield Finding("SS114", message, place, "a review can only read files that are outside of Git LFS")


class _Comparison:
    """A review in progress: the two sides, and their findings so far."""

    def __init__(
        self,
        request: Request,
        before: Side,
        after: Side,
        now: datetime,
        approvals: Collection[str],
        moved_submodules: int,
    ) -> None:
        self.request, self.before, self.after, self.now = request, before, after, now
        self.moved_submodules = moved_submodules
        # A file that did not change is the same object on both sides.
        kept = {id(file) for file in before.reading.files}
        self.shared = {file.path for file in after.reading.files if id(file) in kept}
        self.application = request.snapshot.application if request.snapshot else None
        self.reviews: list[EnvironmentReview] = []
        self.findings: list[Finding] = []
        self.new: set[Finding] = set()
        self.by_environment: dict[str | None, list[Finding]] = {}
        self.suppressed = Suppressed(before, after, now, self.application)
        self.guarantees = Guarantees(approvals)

    def add_safeguards(self) -> None:
        """Add the findings about what the change weakens, or hides from its reviewer."""
        self.add(self.guarantees.findings())
        self.add(self.suppressed.findings())

    def add(self, findings: Iterable[Finding]) -> None:
        """Add findings about the change as a whole: all of them are new."""
        new = list(findings)
        self.findings += new
        self.new |= set(new)

    def compare(self, environment: str | None) -> None:
        """Compare the sides in one environment."""
        from schedsync.review.compare import compare_environment
        from schedsync.review.unexpanded import not_expanded

        first = len(self.findings)
        before, between_before = combine(self.before.reading, environment)
        after, between_after = combine(self.after.reading, environment)
        result, foretold = compare_environment(
            self.request, (self.before, self.after), (before, after), environment, self.now
        )
        unknown = [*not_expanded((self.before, self.after), environment)]
        errors = [each for each in unknown if each.severity == "error"]
        self.reviews.append(
            replace(
                result,
                not_compared=len(errors),
                moved_submodules=self.moved_submodules,
                reowned=reowned(before, after),
            )
        )
        self.guarantees.compare(before, after, environment)
        self._judge(environment, before, after, between_before, [*between_after, *foretold, *errors])
        # What did not change is not new.
        self.findings += [each for each in unknown if each not in errors]
        self.by_environment[environment] = self.findings[first:]

    def _judge(
        self,
        environment: str | None,
        before: Desired,
        after: Desired,
        between_before: Sequence[Finding],
        between_after: Sequence[Finding],
    ) -> None:
        fresh = [file for file in self.after.reading.files if file.path not in self.shared]
        gone = [file for file in self.before.reading.files if file.path not in self.shared]
        of_files = self._of_files(fresh, environment)
        together = [*self.after.reading.unread, *between_after, *self._together(self.after.reading, after)]
        earlier = [*self.before.reading.unread, *between_before]
        if together:
            earlier += self._together(self.before.reading, before)
        old = self._of_files([file for file in self.after.reading.files if file.path in self.shared], environment)
        self.findings += [*old, *of_files, *together]
        owned = [
            Owners({file.path: file.schedule_lines for file in side.reading.files})
            for side in (self.before, self.after)
        ]
        known = [*self._of_files(gone, environment), *earlier]
        self.new |= new_findings(known, owned[0], [*of_files, *together], owned[1])
        self.suppressed.compare(environment, (before, after), fresh, gone)

    def _of_files(self, files: Sequence[ReadFile], environment: str | None) -> list[Finding]:
        """Return the findings of single files."""
        findings: list[Finding] = []
        for file in files:
            part = file.part(environment)
            judged = lint_each(self._context(part.schedules), {file.path: file.ignores})
            findings += [*file.findings, *part.findings, *judged]
        return findings

    def _together(self, reading: ScheduleSet, desired: Desired) -> list[Finding]:
        context = self._context(tuple(desired.schedules.values()))
        return [*lint_packages(context.options, reading.ignores), *lint_whole(context, reading.ignores)]

    def _context(self, schedules: Sequence[Schedule]) -> Context:
        # The head's rules judge both sides, so that switching a rule on makes no old finding new.
        return Context(schedules, self.now, self.after.config.lint, self.application)
