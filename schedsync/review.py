"""What do the files say, and what does a change of them do? Imports no Django; to validate, no Celery either."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from schedsync.conf import DEFAULT_PATH, Config
from schedsync.core.collecting import gc_paused
from schedsync.core.finding import Finding, in_order
from schedsync.core.novelty import Owners, new_findings
from schedsync.core.review import EnvironmentReview, Request, Review
from schedsync.core.rule import Context
from schedsync.core.schedule import Desired, Schedule
from schedsync.errors import WrongUsage
from schedsync.lint import lint, lint_each, lint_whole
from schedsync.reading import Reading, Side, combine, read_revision, read_set, read_work_tree, resolve_set
from schedsync.sources.cache import recalled, remember
from schedsync.sources.reading import FileReading
from schedsync.sources.repository import open_repository
from schedsync.sources.stored import judgements, judgements_text


@dataclass(frozen=True, slots=True)
class Validation:
    """What validating a set found, and how much of it there was."""

    findings: tuple[Finding, ...]
    files: int
    schedules: int


def validate(config: Config, environment: str | None, now: datetime) -> Validation:
    """Check a set in one environment, or where none is chosen in all that its schedules differ by."""
    reading = read_set(config)
    findings = reading.findings
    names: set[str] = set()
    for one in reading.environments(config, environment):
        desired, found = resolve_set(reading, one)
        names |= set(desired.schedules)
        schedules = tuple(desired.schedules.values())
        findings += found + lint(Context(schedules, now, config.lint), reading.ignores)
    return Validation(tuple(in_order(findings)), len(reading.files), len(names))


@gc_paused()
def review(request: Request, now: datetime) -> Review:
    """Compare what the files say in two revisions; nothing of either is run.

    Raises WrongUsage where a revision cannot be found, with what to fetch.
    """
    with open_repository(Path(request.path or DEFAULT_PATH)) as repository:
        head = repository.commit(request.head) if request.head else None
        base = repository.commit(request.base) if request.base else repository.merge_base(head)
        if head is None:
            after = read_work_tree(repository, request.path, request.environment, request.cache)
        else:
            after = read_revision(repository, head, request.path, request.environment, request.cache)
        before = read_revision(repository, base, request.path, request.environment, request.cache, after)
    if not before.there and not after.there:
        hint = "give the directory of the schedules as `--path`"
        raise WrongUsage(f"there are no files at `{after.path}` on either side", hint=hint)
    environment = after.config.chosen(request.environment)
    chosen: Sequence[str | None] = [environment] if environment else after.config.environments or [None]
    from schedsync.differing import configuration
    from schedsync.planning import check_set

    if request.snapshot is not None:
        check_set(request.snapshot, after.config)
    comparison = _Comparison(request, before, after, now)
    comparison.add(configuration(before, after))
    for one in chosen:
        comparison.compare(one)
    findings = in_order(comparison.findings)
    return Review(base, head, tuple(comparison.reviews), tuple(findings), frozenset(comparison.new))


class _Comparison:
    """The running review: the two sides, and what was found in them so far."""

    def __init__(self, request: Request, before: Side, after: Side, now: datetime) -> None:
        self.request, self.before, self.after, self.now = request, before, after, now
        # What did not change is the same object on both sides.
        kept = {id(file) for file in before.reading.files}
        self.shared = {file.key for file in after.reading.files if id(file) in kept}
        self.application = request.snapshot.application if request.snapshot else None
        self.judging = hashlib.sha256(repr((now.date(), after.config.lint, self.application)).encode()).hexdigest()
        self.reviews: list[EnvironmentReview] = []
        self.findings: list[Finding] = []
        self.new: set[Finding] = set()

    def add(self, found: Iterable[Finding]) -> None:
        """Add findings about the change as a whole: all of them are new."""
        said = list(found)
        self.findings += said
        self.new |= set(said)

    def compare(self, environment: str | None) -> None:
        """Compare the sides in one environment."""
        from schedsync.differing import reviewed

        before, between_before = combine(self.before.reading, environment)
        after, between_after = combine(self.after.reading, environment)
        result, foretold = reviewed(self.request, (self.before, self.after), (before, after), environment, self.now)
        self.reviews.append(result)
        self._judge(environment, before, after, between_before, [*between_after, *foretold])

    def _judge(
        self,
        environment: str | None,
        before: Desired,
        after: Desired,
        between_before: Sequence[Finding],
        between_after: Sequence[Finding],
    ) -> None:
        fresh = [file for file in self.after.reading.files if file.key not in self.shared]
        gone = [file for file in self.before.reading.files if file.key not in self.shared]
        of_files = self._of_files(fresh, environment)
        together = [*self.after.reading.looking, *between_after, *self._together(self.after.reading, after)]
        earlier = [*self.before.reading.looking, *between_before]
        if together:
            earlier += self._together(self.before.reading, before)
        old = self._of_files([file for file in self.after.reading.files if file.key in self.shared], environment)
        self.findings += [*old, *of_files, *together]
        owned = [Owners({file.path: file.entries for file in side.reading.files}) for side in (self.before, self.after)]
        known = [*self._of_files(gone, environment), *earlier]
        self.new |= new_findings(known, owned[0], [*of_files, *together], owned[1])

    def _of_files(self, files: Sequence[FileReading], environment: str | None) -> list[Finding]:
        """Return what is found in files one by one; what the rules found in one earlier today is remembered."""
        keys = {file.path: f"{file.key} {environment} {self.judging}" for file in files if not file.refers}
        known = recalled(self.request.cache, keys.values())
        found: list[Finding] = []
        fresh: dict[str, str] = {}
        for file in files:
            part, key = file.part(environment), keys.get(file.path)
            judged = judgements(known.get(key)) if key else None
            if judged is None:
                judged = lint_each(self._context(part.schedules), {file.path: file.ignores})
                if key:
                    fresh[key] = judgements_text(judged)
            found += [*file.findings, *part.findings, *judged]
        remember(self.request.cache, fresh)
        return found

    def _together(self, reading: Reading, desired: Desired) -> list[Finding]:
        return lint_whole(self._context(tuple(desired.schedules.values())), reading.ignores)

    def _context(self, schedules: Sequence[Schedule]) -> Context:
        # The rules of the head judge both sides: a rule that is switched on makes nothing new.
        return Context(schedules, self.now, self.after.config.lint, self.application)
