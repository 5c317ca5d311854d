"""Which existing rows may be taken over: by the files, or by the flags of one call."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from schedsync.core.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Adoption:
    """The rows that one call takes over, in addition to those that the files name.

    ``patterns`` are names and globs, and ``all`` takes every name, of rows that nobody manages. ``sets`` are the sets
    whose rows are taken.
    """

    patterns: tuple[str, ...] = ()
    all: bool = False
    sets: tuple[str, ...] = ()

    def takes(self, schedule: Schedule, holder: str | None) -> bool:
        """Say whether a schedule may take over the row that the set ``holder`` manages; None where nobody does."""
        if holder is not None:
            return holder == schedule.adopt_from or holder in self.sets
        named = self.all or any(matches(pattern, schedule.name) for pattern in self.patterns)
        return named or schedule.adopt or schedule.adopt_from is not None


def matches(pattern: str, name: str) -> bool:
    """Say whether a name is the pattern itself, or fits it as a glob."""
    return name == pattern or fnmatchcase(name, pattern)


def is_glob(pattern: str) -> bool:
    """Say whether a pattern may fit more names than its own text."""
    return bool(set(pattern) & set("*?["))
