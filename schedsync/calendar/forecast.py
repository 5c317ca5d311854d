"""The next runs of schedules, and the load that they make together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from schedsync.calendar.load import Load, Peak
from schedsync.core.timing import Timing


@dataclass(frozen=True, slots=True)
class Outlook:
    """One schedule's next runs, in UTC; ``counted_from`` is the instant from which an interval is counted.

    ``more`` is true where it has more runs in this time than ``runs`` holds.
    """

    name: str
    timing: Timing
    runs: tuple[datetime, ...]
    frequency: str
    counted_from: datetime | None = None
    more: bool = False


@dataclass(frozen=True, slots=True)
class Forecast:
    """The next runs from an instant on, and the load picture of a week with its worst minutes."""

    start: datetime
    outlooks: Sequence[Outlook]
    load: Load
    worst: Sequence[Peak]
