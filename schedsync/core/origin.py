"""Where the files of a set come from, by Git."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Binding:
    """Where a set comes from: environment, repository, path within it, commit."""

    environment: str | None = None
    repository: str | None = None
    path: str | None = None
    commit: str | None = None


@dataclass(frozen=True, slots=True)
class Revision:
    """Where files come from: the commit, the repository's URL without credentials, and the path within it."""

    commit: str | None = None
    repository: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Ancestry:
    """Whether one commit descends from another; ``shallow`` where the clone is too shallow to tell."""

    older: bool = False
    shallow: bool = False
