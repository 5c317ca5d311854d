"""Rolled-back schedules as every reader is shown them: one line for those of one rollback."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from schedsync.core.names import first_names
from schedsync.core.rollback import RolledBack
from schedsync.render.words import printable, time_text

_NAMED = 10


def rolled_back_lines(marks: Iterable[RolledBack], now: datetime | None = None) -> Iterator[str]:
    """Yield a line for each rollback: its schedules, who rolled them back, when, why, and in which run."""
    groups: dict[tuple[str, str, str, datetime], list[RolledBack]] = {}
    for mark in marks:
        groups.setdefault((mark.run, mark.who, mark.reason, mark.since), []).append(mark)
    for found in groups.values():
        first = found[0]
        said = f"rolled back by {printable(first.who)} since {time_text(first.since, now)}: {printable(first.reason)}"
        yield f"{names_text(found)}: {said} (run {printable(first.short_run)})"


def names_text(marks: Iterable[RolledBack]) -> str:
    """Write the names of rolled-back schedules, of a rename both."""
    return printable(first_names([_name(mark) for mark in marks], _NAMED))


def _name(mark: RolledBack) -> str:
    return mark.name if mark.kept_name == mark.name else f"{mark.name} (was {mark.kept_name})"
