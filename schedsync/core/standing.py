"""A standing pause: the selector of a pause is kept, so that schedules which come later are paused too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from schedsync.core.selector import Selector


@dataclass(frozen=True, slots=True)
class Standing:
    """The selector of a pause of several schedules, who paused them and why, until a time or until ``resume``."""

    selector: Selector
    reason: str
    who: str
    since: datetime
    until: datetime | None = None

    def ended(self, now: datetime) -> bool:
        """Say whether its time is over."""
        return self.until is not None and self.until <= now
