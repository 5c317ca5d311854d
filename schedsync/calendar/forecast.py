"""The next runs of schedules, and the load that they make together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from schedsync.calendar.crowds import Crowd, crowds
from schedsync.calendar.load import Load, Peak, Slots
from schedsync.calendar.timeline import Timeline
from schedsync.core.timing import Interval, Timing, moment

#: A forecast names this many of the busiest minutes.
WORST = 5


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


@dataclass(frozen=True)
class Forecast:
    """The next runs from an instant on, and the load of a week; ``slots`` yields the slots of solar timings too.

    ``until`` is when the user lets the runs end, None if only their number is limited. ``timeline`` is None unless the
    user asks for it.
    """

    start: datetime
    outlooks: Sequence[Outlook]
    load: Load
    slots: Slots
    until: datetime | None = None
    timeline: Timeline | None = None

    def is_assumed(self, outlook: Outlook) -> bool:
        """Say whether an interval is counted from the start of the forecast, because its last run is not known."""
        return isinstance(outlook.timing, Interval) and outlook.counted_from == self.start

    def rest_text(self, outlook: Outlook) -> str:
        """Write that a schedule has more runs than the forecast lists until its end; empty if it has not."""
        if not outlook.more or self.until is None:
            return ""
        return f"and more until {moment(self.until, now=self.start)} UTC"

    @cached_property
    def worst(self) -> Sequence[Peak]:
        """The busiest minutes."""
        return self.load.peaks(WORST, self.slots)

    @cached_property
    def crowds(self) -> Sequence[Crowd]:
        """The minutes that stand out, in groups of those in which the same schedules start."""
        return crowds(self.load, self.slots)
