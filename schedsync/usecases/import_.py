"""Turns the drafts of a source into the texts of files; every text is read back before anybody gets it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from schedsync.core.names import natural_order
from schedsync.errors import Failed
from schedsync.files.progress import Progress, silent
from schedsync.importers.draft import Draft, LeftOut, Secret
from schedsync.importers.fold import folded
from schedsync.importers.grouping import FEW, By, Grouping
from schedsync.importers.layout import file_text
from schedsync.importers.read_back import problems, unreadable
from schedsync.lint.secret import secrets_in


@dataclass(frozen=True, slots=True)
class ImportForm:
    """How to write an import.

    ``by`` is None where the number of schedules decides. ``in_one`` puts everything into one document. ``secrets`` says
    whether schedules that seem to hold one are taken, and ``adopt`` whether the files take over rows that exist.
    """

    by: By | None = None
    in_one: bool = True
    fold: bool = False
    secrets: bool = True
    adopt: bool = True


@dataclass(frozen=True, slots=True)
class Imported:
    """The texts of files by their names, with the number of schedules in each, and what a reader should know.

    ``names`` are the names of the schedules in the files.
    """

    texts: Mapping[str, str]
    counts: Mapping[str, int]
    names: frozenset[str]
    left_out: tuple[LeftOut, ...]
    secrets: tuple[Secret, ...]

    @property
    def taken(self) -> int:
        """The number of schedules in the files."""
        return len(self.names)


def write_drafts(
    drafts: Sequence[Draft], left_out: Sequence[LeftOut], form: ImportForm, progress: Progress = silent
) -> Imported:
    """Return the texts of drafts; a draft whose name is left out, or that no file can have, is in none of them."""
    secrets = [Secret(draft.name, path) for draft in drafts for path in _secret_paths(draft)]
    gone = list(left_out)
    if not form.secrets:
        names = {secret.name for secret in secrets}
        gone += [_with_secret(draft) for draft in drafts if draft.name in names]
    progress("writing")
    rest = _rest(drafts, gone)
    files = _written(form, rest, gone)
    if isinstance(files, str):
        progress("checking each schedule")
        gone += unreadable(rest)
        rest = _rest(drafts, gone)
        files = _written(form, rest, gone)
    if isinstance(files, str):
        raise Failed(f"the text is not what the source holds: {files}", hint="please report this")
    texts, counts = files
    taken = frozenset(draft.name for draft in rest)
    return Imported(
        texts,
        counts,
        taken,
        tuple(sorted(gone, key=lambda each: natural_order(each.name))),
        tuple(secret for secret in secrets if secret.name in taken),
    )


def _secret_paths(draft: Draft) -> Iterator[str]:
    for field, path in secrets_in(draft.spec):
        yield f"{field}{'' if not path or path.startswith('[') else '.'}{path}"


def _with_secret(draft: Draft) -> LeftOut:
    return LeftOut(draft.name, f"{next(_secret_paths(draft))} looks like a secret", draft.spec)


def _rest(drafts: Sequence[Draft], left_out: Sequence[LeftOut]) -> list[Draft]:
    gone = {each.name for each in left_out}
    return [draft for draft in drafts if draft.name not in gone]


def _written(
    form: ImportForm, drafts: Sequence[Draft], left_out: Sequence[LeftOut]
) -> tuple[dict[str, str], dict[str, int]] | str:
    """Return the files' texts and counts, or what is wrong with the plainest form.

    The plainest form is used where a shorter one is not read back alike.
    """
    ways = ([(folded(drafts), True)] if form.fold else []) + [(list(drafts), True), (list(drafts), False)]
    problem = ""
    for entries, lift in ways:
        files = _Files(form, entries)
        texts = files.texts(left_out, lift=lift)
        problem = next(problems(texts, entries), "")
        if not problem:
            return texts, files.counts
    return problem


class _Files:
    """The files of an import, and the schedules in each."""

    def __init__(self, form: ImportForm, drafts: Sequence[Draft]) -> None:
        few = sum(len(draft.specs) for draft in drafts) <= FEW
        by: By = form.by or ("file" if few and not form.in_one else "app")
        self.adopt = form.adopt
        self.titles = Grouping(drafts, by)
        self.grouping = Grouping(drafts, "file") if form.in_one else self.titles
        self.members = self.grouping.files(drafts)
        self.counts = {file: sum(len(draft.specs) for draft in here) for file, here in self.members.items()}

    def texts(self, left_out: Sequence[LeftOut], *, lift: bool) -> dict[str, str]:
        """Return the text of each file; a name that is left out is in the file to which it would belong."""
        gone = {file: [each for each in left_out if self._home(each) == file] for file in self.members}
        return {
            file: file_text(here, self.titles, gone[file], lift=lift, adopt=self.adopt)
            for file, here in self.members.items()
        }

    def _home(self, left_out: LeftOut) -> str:
        file = None if left_out.of is None else self.grouping.file(left_out.of)
        return file if file in self.members else next(iter(self.members))
