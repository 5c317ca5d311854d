"""The submodules among the paths of a set: other repositories, whose files a review does not read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from schedsync.git.entries import SUBMODULE
from schedsync.git.repository import Repository

#: By the paths of the submodules from the root, the commits that they are at.
Submodules = dict[str, str]


def submodules_of(repository: Repository, commit: str, paths: Sequence[PurePosixPath]) -> Submodules:
    """Return the submodules of a commit that are at, below or above the paths."""
    above = {parent.as_posix() for path in paths for parent in (path, *path.parents)} - {"."}
    entries = dict(repository.entries(commit, paths))
    if above:
        entries |= dict(repository.listing(commit, "--", *sorted(above)))
    return {path: entry.id for path, entry in sorted(entries.items()) if entry.mode == SUBMODULE}


def checked_out_submodules(repository: Repository, paths: Sequence[PurePosixPath]) -> Submodules:
    """Return those of the checked-out commit, with the commits that the work tree has of them."""
    head = repository.find("HEAD")
    known = submodules_of(repository, head, paths) if head else {}
    return {path: repository.head_below(path) or commit for path, commit in known.items()}


def is_within(path: PurePosixPath, submodules: Submodules) -> bool:
    """Say whether a path is in one of the submodules, or is one."""
    return any(path.is_relative_to(submodule) for submodule in submodules)
