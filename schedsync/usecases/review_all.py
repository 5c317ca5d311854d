"""Reviews every set of a repository: those of the head, and those that only the base has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from schedsync.config import FILE
from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.errors import WrongUsage
from schedsync.files.configurations import sets_below
from schedsync.files.progress import Progress, silent
from schedsync.git.range import Range, range_of
from schedsync.git.repository import open_repository
from schedsync.git.sets import sets_at
from schedsync.git.tree import shown_from
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
    for directory in sorted({*before, *after}):
        if directory in after:
            yield directory, _Reviewed(replace(request, path=None, directory=directory), now, progress)
        else:
            yield directory, _Gone(compared, before[directory])


def _below(start: Path) -> list[Path]:
    try:
        return sets_below(start)
    except WrongUsage:
        return []


class _Reviewed:
    """Reviews one set."""

    def __init__(self, request: Request, now: datetime, progress: Progress) -> None:
        self.request, self.now, self.progress = request, now, progress

    def __call__(self) -> Review:
        return review(self.request, self.now, self.progress)


class _Gone:
    """The review of a set whose configuration the change removes."""

    def __init__(self, compared: Range, file: Path) -> None:
        self.compared, self.file = compared, file

    def __call__(self) -> Review:
        finding = Finding(
            "SS168",
            "the configuration is removed: no apply knows the set any more, and its rows stay and run",
            Location(self.file.as_posix(), 1, 1),
            "to delete the rows keep the configuration, delete the schedules, and apply with `--allow-empty`",
            "warning",
        )
        return Review(
            self.compared.base, self.compared.head, (), (finding,), frozenset((finding,)), self.compared.base_name
        )
