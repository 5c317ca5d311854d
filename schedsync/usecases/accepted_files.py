"""The files of a set with edits in them: read again as a whole, and compared with what they must say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from schedsync.config import Config
from schedsync.core.acceptance import Acceptance, NotAccepted
from schedsync.core.finding import Finding, has_errors
from schedsync.core.schedule import Desired
from schedsync.core.sources import Sources
from schedsync.errors import InvalidSet
from schedsync.files.bounds import TextBudget
from schedsync.files.discover import SourceFile, read_files
from schedsync.files.one_file import read_file
from schedsync.files.schedule_set import ScheduleSet, resolve_set, set_of
from schedsync.git.sparse import absent_files
from schedsync.importers.accepted_pieces import Placing
from schedsync.importers.accepting import accepted_text
from schedsync.importers.piece import CannotAccept, Piece, Scope
from schedsync.planning.accepting import allowed_elsewhere, allowed_here, unlike
from schedsync.planning.build import refused_by_celery
from schedsync.usecases.target import Target

BOM = b"\xef\xbb\xbf"
#: How many times the files are read again to find the changes at fault.
_MOST_TRIES = 25
#: A path, and a change for its file.
_Placed = tuple[str, Piece]


@dataclass(frozen=True)
class FilesOfSet:
    """The files of a set, and what they say: by environment the schedules, and the errors that they have."""

    config: Config
    sources: Sources
    by_path: Mapping[str, SourceFile]
    unread: Sequence[Finding]
    desired: Mapping[str | None, Desired]
    errors: Mapping[str | None, Counter[tuple[str, str]]]

    def with_texts(self, texts: Mapping[str, str]) -> FilesOfSet:
        """Return the same set with other texts of some files."""
        changed = {path: _with_text(self.by_path[path], text) for path, text in texts.items()}
        return files_of_set(self.config, self.sources, {**self.by_path, **changed}, self.unread, self.desired.keys())


def read_files_of_set(target: Target, sources: Sources) -> FilesOfSet:
    """Read the files of a target's set; raises InvalidSet where they cannot be read."""
    config = target.config
    files, unread = read_files(config.paths, config.root, config.within, None, config.file, absent=absent_files(config))
    if has_errors(unread):
        raise InvalidSet(unread)
    environments = dict.fromkeys((*config.environments, target.environment))
    return files_of_set(config, sources, {file.path: file for file in files}, unread, environments)


def _with_text(source: SourceFile, text: str) -> SourceFile:
    bom = BOM if source.content().startswith(BOM) else b""
    data = bom + text.encode("utf-8", "surrogatepass")
    return replace(source, size=len(data), content=lambda: data, blob=None)


def files_of_set(
    config: Config,
    sources: Sources,
    files: Mapping[str, SourceFile],
    unread: Sequence[Finding],
    environments: Iterable[str | None],
) -> FilesOfSet:
    """Return what files say in each of some environments; ``unread`` are findings on files that cannot be read."""
    budget, declared = TextBudget(), config.environments
    found = set_of(files.values(), unread, declared, lambda file: read_file(file, declared, budget, sources))
    desired: dict[str | None, Desired] = {}
    errors: dict[str | None, Counter[tuple[str, str]]] = {}
    for environment in environments:
        desired[environment], findings = resolve_set(found, environment)
        findings += refused_by_celery(desired[environment])
        errors[environment] = _errors(found, environment, findings)
    return FilesOfSet(config, sources, files, unread, desired, errors)


def _errors(files: ScheduleSet, environment: str | None, findings: Iterable[Finding]) -> Counter[tuple[str, str]]:
    wrong = [*findings, *(definition.finding() for definition in files.unexpanded(environment))]
    return Counter((finding.code, finding.message) for finding in wrong if finding.severity == "error")


@dataclass(frozen=True, slots=True)
class Result:
    """The changes that the files take, those that they do not, and the new texts of files by path."""

    taken: tuple[Acceptance, ...] = ()
    left: tuple[NotAccepted, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Wrong:
    """Why some changes cannot be written; ``suspects`` are those of which at least one is at fault.

    Where it is known which are, ``reasons`` says by their names why, and has all suspects.
    """

    suspects: Sequence[_Placed]
    reason: str
    reasons: Mapping[str, str] = field(default_factory=dict)

    def by_name(self) -> Iterator[tuple[str, str]]:
        """Yield the name of each suspect, and the reason."""
        yield from ((piece.name, self.reasons.get(piece.name, self.reason)) for _, piece in self.suspects)


def written_into(files: FilesOfSet, placed: Sequence[_Placed], scope: Scope, placing: Placing) -> Result:
    """Return the files with as many of the changes as they can take; every text is read again."""
    rest = list(placed)
    left: list[NotAccepted] = []
    while rest:
        tried = _tried(files, rest, scope)
        if not isinstance(tried, _Wrong):
            return Result(tuple(piece.acceptance for _, piece in rest), tuple(left), tried)
        at_fault = dict(_at_fault(files, tried, scope))
        left += [placing.left(piece.acceptance, at_fault[piece.name]) for _, piece in rest if piece.name in at_fault]
        rest = [each for each in rest if each[1].name not in at_fault]
    return Result((), tuple(left), {})


def _at_fault(files: FilesOfSet, wrong: _Wrong, scope: Scope) -> Iterator[tuple[str, str]]:
    """Yield the names of the changes that cannot be written even alone, and why; halves are tried, then theirs.

    Where that does not tell, or would need too many tries, all of them are at fault.
    """
    groups, tries = [wrong], 0
    while groups:
        group = groups.pop()
        middle = len(group.suspects) // 2
        if group.reasons or not middle or tries >= _MOST_TRIES:
            yield from group.by_name()
            continue
        halves = (group.suspects[:middle], group.suspects[middle:])
        wrong_halves = [each for half in halves if isinstance(each := _tried(files, half, scope), _Wrong)]
        tries += len(halves)
        groups += wrong_halves
        if not wrong_halves:
            yield from group.by_name()


def _tried(files: FilesOfSet, placed: Sequence[_Placed], scope: Scope) -> dict[str, str] | _Wrong:
    """Return the new texts of files, or why they cannot be written."""
    by_path: dict[str, list[_Placed]] = {}
    for each in placed:
        by_path.setdefault(each[0], []).append(each)
    texts: dict[str, str] = {}
    for path, here in by_path.items():
        before = files.by_path[path].content().decode("utf-8-sig")
        try:
            after = accepted_text(before, [piece for _, piece in here], scope)
        except CannotAccept as error:
            return _Wrong([each for each in here if each[1].name in error.reasons] or here, error.reason, error.reasons)
        if after != before:
            texts[path] = after
    return _compared(files, files.with_texts(texts), placed, scope) or texts


def _compared(before: FilesOfSet, after: FilesOfSet, placed: Sequence[_Placed], scope: Scope) -> _Wrong | None:
    """Return what is wrong with edited files, None where they say what they must."""
    taken = [piece.acceptance for _, piece in placed]
    for environment in before.desired:
        if worse := after.errors[environment] - before.errors[environment]:
            _, message = next(iter(worse))
            return _Wrong(placed, f"its file would be wrong: {message}")
    for environment, was in before.desired.items():
        is_here = environment == scope.environment
        everywhere = scope.everywhere
        allowed = allowed_here(was, taken) if is_here else allowed_elsewhere(was, taken, everywhere=everywhere)
        if names := set(unlike(was, after.desired[environment], allowed)):
            return _Wrong(*_blamed(names, placed, environment, is_here=is_here))
    return None


def _blamed(
    names: set[str], placed: Sequence[_Placed], environment: str | None, *, is_here: bool
) -> tuple[Sequence[_Placed], str]:
    where = "" if is_here or environment is None else f" in {environment}"
    mine = [each for each in placed if names & {each[1].name, each[1].acceptance.name_after}]
    if mine:
        return mine, f"the file would not say what the table holds{where}" if is_here else f"it would change{where} too"
    return placed, f"`{min(names)}` would change{where} too"
