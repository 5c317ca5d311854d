"""Writes the YAML of schedules that exist already: reads the tables, and returns the text of the files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.utils.timezone import get_default_timezone

from schedsync.database.clock import now
from schedsync.database.faults import database_errors
from schedsync.database.lock import read_only_transaction
from schedsync.database.observe import every_entry, observe_rows
from schedsync.errors import Failed
from schedsync.files.progress import Progress, silent
from schedsync.importers.draft import Draft, LeftOut, Secret
from schedsync.importers.fold import folded
from schedsync.importers.grouping import FEW, By, Grouping
from schedsync.importers.layout import file_text
from schedsync.importers.read_back import problems, unreadable
from schedsync.importers.rows import Tables, candidates
from schedsync.lint.secret import secrets_in
from schedsync.usecases.celery_settings import beat_schedule_names


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What to import, and how to write it.

    ``patterns`` are names and globs; without any, all rows are meant. ``by`` is None where their number decides.
    ``in_one`` puts everything into one document. ``secrets`` says whether schedules that seem to hold one are taken.
    """

    using: str
    patterns: tuple[str, ...] = ()
    by: By | None = None
    in_one: bool = True
    fold: bool = False
    secrets: bool = True


@dataclass(frozen=True, slots=True)
class Imported:
    """The texts of files by their names, with the number of schedules in each, and what a reader should know.

    ``managed`` are the numbers of rows by the set that manages them already.
    """

    texts: Mapping[str, str]
    counts: Mapping[str, int]
    left_out: tuple[LeftOut, ...]
    secrets: tuple[Secret, ...]
    dual_writers: tuple[str, ...]
    managed: Mapping[str, int]

    @property
    def taken(self) -> int:
        """The number of schedules in the files."""
        return sum(self.counts.values())


def import_database(request: ImportRequest, progress: Progress = silent) -> Imported:
    """Return the rows that nobody manages as files; every text was read back, and says what the tables hold.

    Raises WrongUsage where a pattern fits no row, Unavailable where the database does not answer or is not migrated.
    """
    progress("reading the tables")
    tables = _tables(request.using)
    found = candidates(tables, request.patterns)
    secrets = [Secret(draft.name, path) for draft in found.drafts for path in _secret_paths(draft)]
    left_out = list(found.left_out)
    if not request.secrets:
        names = {secret.name for secret in secrets}
        left_out += [_with_secret(draft) for draft in found.drafts if draft.name in names]
    progress("checking each schedule")
    left_out += unreadable(_rest(found.drafts, left_out))
    drafts = _rest(found.drafts, left_out)
    progress("writing")
    texts, counts = _texts(request, drafts, left_out)
    taken = {draft.name for draft in drafts}
    return Imported(
        texts,
        counts,
        tuple(sorted(left_out, key=lambda each: each.name)),
        tuple(secret for secret in secrets if secret.name in taken),
        tuple(sorted(taken & tables.dual_writers)),
        dict(sorted(found.managed.items())),
    )


def _tables(using: str) -> Tables:
    dual_writers = beat_schedule_names()
    with database_errors(using), read_only_transaction(using):
        rows, managed = list(observe_rows(using).rows.values()), every_entry(using)
    return Tables(rows, managed, now(), get_default_timezone(), dual_writers)


def _secret_paths(draft: Draft) -> Iterator[str]:
    for field, path in secrets_in(draft.spec):
        yield f"{field}{'' if not path or path.startswith('[') else '.'}{path}"


def _with_secret(draft: Draft) -> LeftOut:
    return LeftOut(draft.name, f"{next(_secret_paths(draft))} looks like a secret", draft.spec)


def _rest(drafts: Sequence[Draft], left_out: Sequence[LeftOut]) -> list[Draft]:
    gone = {each.name for each in left_out}
    return [draft for draft in drafts if draft.name not in gone]


def _texts(
    request: ImportRequest, drafts: Sequence[Draft], left_out: Sequence[LeftOut]
) -> tuple[dict[str, str], dict[str, int]]:
    """Return the files' texts and counts; the plainest form is used where a shorter one is not read back alike."""
    forms = ([(folded(drafts), True)] if request.fold else []) + [(list(drafts), True), (list(drafts), False)]
    problem = None
    for entries, lift in forms:
        files = _Files(request, entries)
        texts = files.texts(left_out, lift=lift)
        problem = next(problems(texts, entries), None)
        if problem is None:
            return texts, files.counts
    raise Failed(f"the text is not what the tables hold: {problem}", hint="please report this")


class _Files:
    """The files of an import, and the schedules in each."""

    def __init__(self, request: ImportRequest, drafts: Sequence[Draft]) -> None:
        few = sum(len(draft.specs) for draft in drafts) <= FEW
        by: By = request.by or ("file" if few and not request.in_one else "app")
        self.titles = Grouping(drafts, by)
        self.grouping = Grouping(drafts, "file") if request.in_one else self.titles
        self.members = self.grouping.files(drafts)
        self.counts = {file: sum(len(draft.specs) for draft in here) for file, here in self.members.items()}

    def texts(self, left_out: Sequence[LeftOut], *, lift: bool) -> dict[str, str]:
        """Return the text of each file; a name that is left out is in the file to which it would belong."""
        gone = {file: [each for each in left_out if self._home(each) == file] for file in self.members}
        return {file: file_text(here, self.titles, gone[file], lift=lift) for file, here in self.members.items()}

    def _home(self, left_out: LeftOut) -> str:
        file = None if left_out.spec is None else self.grouping.file(left_out.spec)
        return file if file in self.members else next(iter(self.members))
