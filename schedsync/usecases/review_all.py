"""Reviews every set of a repository: those of the head, and those that only the base has."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path, PurePosixPath

from schedsync.config import FILE, read_config
from schedsync.core.finding import Finding, in_order
from schedsync.core.location import Location
from schedsync.errors import InvalidConfiguration, WrongUsage
from schedsync.files.configurations import configuration_in, sets_below
from schedsync.files.progress import Progress, silent
from schedsync.git.range import Range, range_of
from schedsync.git.repository import Repository, open_repository
from schedsync.git.sets import sets_at
from schedsync.git.tree import config_at, shown_from
from schedsync.review.result import Request, Review
from schedsync.usecases.review import review


def reviews(
    request: Request, now: datetime, progress: Progress = silent
) -> Iterator[tuple[Path, Callable[[], Review]]]:
    """Yield the directory of each set at or below the path of a request, and a function that reviews it.

    Raises WrongUsage if neither side has a set.
    """
    start = Path(request.path or ".")
    with open_repository(start) as repository:
        compared = range_of(repository, request.base, request.head)
        base, head = compared.base, compared.head
        inside, shown = repository.inside(start), shown_from(repository.root)
        before = {
            Path(shown(str(directory))): Path(shown(str(file)))
            for directory, file in sets_at(repository, base, inside).items()
        }
        if head is None:
            after = {Path(shown(str(repository.inside(directory)))) for directory in _below(start)}
        else:
            after = {Path(shown(str(directory))) for directory in sets_at(repository, head, inside)}
        if not before and not after:
            raise WrongUsage(f"there is no {FILE} in or below `{start}` on either side")
        homes = _Homes(repository, compared, before, after)
    for directory in sorted({*before, *after} - set(homes.moved.values())):
        if directory not in after:
            is_sure = inside == PurePosixPath() and homes.is_known(directory)
            yield directory, _Gone(compared, before[directory], homes.elsewhere.get(directory), is_sure=is_sure)
            continue
        one_set = replace(request, path=None, directory=directory, base_directory=homes.moved.get(directory))
        yield directory, _Reviewed(one_set, now, progress)


def _below(start: Path) -> list[Path]:
    try:
        return sets_below(start)
    except WrongUsage:
        return []


class _Homes:
    """Where the sets of directories that only the base has are at the head.

    ``moved`` is the old directory of a set by its new one. ``elsewhere`` is by an old directory another one that has a
    set of the same name on both sides.
    """

    def __init__(
        self, repository: Repository, compared: Range, before: Collection[Path], after: Collection[Path]
    ) -> None:
        self.moved: dict[Path, Path] = {}
        self.elsewhere: dict[Path, Path] = {}
        gone = sorted(set(before) - set(after))
        # Without a directory that is gone, no name matters.
        self.old = {directory: _name(repository, compared.base, directory) for directory in gone}
        self.new = {directory: _name(repository, compared.head, directory) for directory in after} if gone else {}
        for directory, name in self.old.items():
            same = sorted(each for each in self.new if name is not None and self.new[each] == name)
            fresh = [each for each in same if each not in before and each not in self.moved]
            if fresh:
                self.moved[fresh[0]] = directory
            elif same:
                self.elsewhere[directory] = same[0]

    def is_known(self, directory: Path) -> bool:
        """Say whether it is certain that no directory of the head has the set."""
        return None not in (self.old[directory], *self.new.values()) and directory not in self.elsewhere


def _name(repository: Repository, commit: str | None, directory: Path) -> str | None:
    """Return the name of the set of a directory, None if its configuration cannot be used."""
    try:
        if commit is None:
            return read_config(None, repository.root, directory).set
        start, shown = repository.inside(directory), shown_from(repository.root)
        return config_at(repository.tree(commit), start, shown, given=False, upward=False).set
    except InvalidConfiguration:
        return None


class _Reviewed:
    """Reviews one set."""

    def __init__(self, request: Request, now: datetime, progress: Progress) -> None:
        self.request, self.now, self.progress = request, now, progress

    def __call__(self) -> Review:
        result = review(self.request, self.now, self.progress)
        old, new = self.request.base_directory, self.request.directory
        if old is None or new is None:
            return result
        finding = Finding(
            "SS168",
            f"the set is in `{new.as_posix()}` now, and was in `{old.as_posix()}`: an apply refuses that",
            Location(configuration_in(new).as_posix(), 1, 1),
            "after the merge apply it once with `--allow-move`",
            "warning",
        )
        return replace(result, findings=in_order([*result.findings, finding]), new=result.new | {finding})


class _Gone:
    """The review of a set whose configuration the change removes."""

    def __init__(self, compared: Range, file: Path, elsewhere: Path | None, *, is_sure: bool) -> None:
        self.compared, self.file, self.elsewhere, self.is_sure = compared, file, elsewhere, is_sure

    def __call__(self) -> Review:
        message = "the configuration is removed: no apply knows the set any more, and its rows stay and run"
        hint = "to delete the rows keep the configuration, delete the schedules, and apply with `--allow-empty`"
        if self.elsewhere is not None:
            other = self.elsewhere.as_posix()
            message = f"the configuration is removed, and `{other}` has a set of the same name"
            hint = f"an apply of `{other}` deletes the rows that its files do not define: move the schedules there"
        elif not self.is_sure:
            # Another directory may have the set: emptying it would delete the rows of a set that lives.
            hint = "if the set is in another directory now, apply it there once with `--allow-move`"
        finding = Finding("SS168", message, Location(self.file.as_posix(), 1, 1), hint, "warning")
        return Review(
            self.compared.base, self.compared.head, (), (finding,), frozenset((finding,)), self.compared.base_name
        )
