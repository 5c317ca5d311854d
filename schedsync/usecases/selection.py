"""Selects schedules by their names, or by patterns of names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TypeVar

from schedsync.core.finding import did_you_mean
from schedsync.core.names import shortened
from schedsync.errors import WrongUsage

T = TypeVar("T")


def check_patterns(names: Iterable[str], patterns: Sequence[str]) -> None:
    """Raise WrongUsage for a pattern that matches none of the names: a typing error selects nothing silently."""
    known = list(names)
    for pattern in patterns:
        if not any(is_selected(name, [pattern]) for name in known):
            raise WrongUsage(f"no schedule is named `{shortened(pattern)}`", hint=did_you_mean(pattern, known))


def selected(schedules: Mapping[str, T], patterns: Sequence[str]) -> dict[str, T]:
    """Return the schedules whose names match one of the patterns, all without a pattern; raises WrongUsage."""
    check_patterns(schedules, patterns)
    return {name: schedule for name, schedule in schedules.items() if is_selected(name, patterns)}


def is_selected(name: str, patterns: Sequence[str]) -> bool:
    """Say whether a name is one of the patterns, or matches one; without a pattern each name does."""
    return not patterns or any(name == pattern or fnmatchcase(name, pattern) for pattern in patterns)
