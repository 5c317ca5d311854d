"""Schedules that no file defines any more, and that wait to be deleted, as every reader is shown them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from schedsync.core.names import first_names
from schedsync.core.observed import Managed
from schedsync.core.origin import recorded_text
from schedsync.render.words import printable, time_text

#: More with the same commit and the same end are one line, with this many names.
_FEW, _NAMED = 3, 10


def removing_lines(waiting: Iterable[Managed], now: datetime) -> Iterator[str]:
    """Yield a line for each schedule, and one line with a count for many that one apply has disabled."""
    groups: dict[tuple[str | None, datetime], list[Managed]] = {}
    for managed in waiting:
        if managed.removing is not None:
            groups.setdefault((managed.commit, managed.removing.until), []).append(managed)
    for (commit, until), group in groups.items():
        since = f" since {printable(recorded_text(commit))}" if commit else " any more"
        said = f"in no file{since}, deleted after {time_text(until, now)}"
        names = [printable(managed.name) for managed in group]
        if len(names) <= _FEW:
            yield from (f"{name}: {said}" for name in names)
        else:
            yield f"{len(names):,} schedules: {said} ({first_names(names, _NAMED)})"
