"""Where the files of a set come from, by Git."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Forge = Literal["github", "gitlab", "bitbucket"]


@dataclass(frozen=True, slots=True)
class Binding:
    """Where a set comes from: environment, repository, path within it, commit.

    ``dirty`` is true where files that the set reads differ from the commit.
    """

    environment: str | None = None
    repository: str | None = None
    path: str | None = None
    commit: str | None = None
    dirty: bool = False

    @property
    def commit_text(self) -> str | None:
        """The commit as people read it: its first digits, and whether files differ from it."""
        if self.commit is None:
            return None
        return self.commit[:12] + (" + uncommitted changes" if self.dirty else "")


@dataclass(frozen=True, slots=True)
class Revision:
    """Where files come from: the commit, the repository's URL without credentials, and the path within it.

    ``dirty_files`` are the paths of the files that differ from the commit.
    """

    commit: str | None = None
    repository: str | None = None
    path: str | None = None
    dirty_files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Web:
    """Where people read the files of two commits in a browser.

    ``url`` is the address of the repository, and ``forge`` says how the address of a file is made from it. ``head`` is
    None if the work tree may differ from each commit. ``directory`` is the one that paths are relative to, seen from
    the top of the repository.
    """

    url: str
    forge: Forge
    base: str
    head: str | None
    directory: str = ""


#: A recorded commit ends with this where files differed from it. The columns hold 64 characters.
_DIRTY = "+dirty"
_LONGEST_RECORDED = 64


def recorded_commit(binding: Binding) -> str | None:
    """Return a commit as the tables hold it: an id, and a mark where files differed from it.

    An id of SHA-256 is cut so that the mark fits: Git finds the commit by its first digits too.
    """
    if binding.commit is None or not binding.dirty:
        return binding.commit
    return binding.commit[: _LONGEST_RECORDED - len(_DIRTY)] + _DIRTY


def commit_from(recorded: str | None) -> tuple[str | None, bool]:
    """Return the id of a recorded commit, and whether files differed from it."""
    if recorded is None:
        return None, False
    return recorded.removesuffix(_DIRTY), recorded.endswith(_DIRTY)


def recorded_text(recorded: str | None) -> str:
    """Return a recorded commit as people read it; empty where it is not known."""
    commit, dirty = commit_from(recorded)
    return Binding(commit=commit, dirty=dirty).commit_text or ""


@dataclass(frozen=True, slots=True)
class Ancestry:
    """Whether one commit descends from another.

    ``shallow`` where the clone is too shallow to tell, ``unknown`` where no repository is there to be asked.
    """

    older: bool = False
    shallow: bool = False
    unknown: bool = False
