"""What `schedsync init` finds in a project, and what it is told to write: plain values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

#: The kinds of CI that a workflow can be written for.
Ci = Literal["github", "gitlab"]
#: The Beat that is seen: one of schedsync's own is live, another one has run rows, or nothing is known.
BeatSeen = Literal["own", "stock", "unknown"]


@dataclass(frozen=True, slots=True)
class Found:
    """What a project has: its name, versions, both sources, the Beat and the CI.

    ``celery_app`` is None without one. ``rows`` counts the rows that nobody manages, ``entries`` those of
    CELERY_BEAT_SCHEDULE, and ``entries_with_rows`` the entries that are rows too.
    """

    project: str
    django: str
    celery_app: str | None
    rows: int
    entries: int
    entries_with_rows: int
    beat: BeatSeen
    ci: Ci | None
    has_git: bool
    has_remote: bool


@dataclass(frozen=True, slots=True)
class Choices:
    """What the user chose: the name of the set, its environments, and the kind of CI or None."""

    set: str
    environments: tuple[str, ...]
    ci: Ci | None


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the files of a project are.

    ``root`` is the root of the Git repository as seen from the working directory, or that directory without Git.
    ``project`` is the working directory as seen from the root, "" where both are the same. ``schedules`` is the
    directory of the schedules below the working directory.
    """

    root: Path
    project: str
    schedules: str

    def from_root(self, path: str) -> str:
        """Return the path of a file of the project as seen from the root."""
        return f"{self.project}/{path}" if self.project else path
