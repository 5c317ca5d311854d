"""How Beat and the schedules are doing, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class BeatStatus:
    """One live Beat; times are the database's, ``seen`` is how long ago it last said something.

    ``loaded`` is the number of the last change that it has loaded, ``trouble`` what it says loudly.
    """

    id: str
    name: str
    election: str
    leads: bool
    leads_since: datetime | None
    epoch: int
    started_at: datetime
    seen: timedelta
    loaded: int
    loaded_at: datetime | None
    schedules: int
    trouble: str


@dataclass(frozen=True, slots=True)
class Late:
    """A schedule whose tick has come, and that has not run for it yet."""

    name: str
    tick: datetime


@dataclass(frozen=True, slots=True)
class Status:
    """Everything that ``schedsync status`` tells; schedules are told by their names.

    ``number`` is that of the last change, by which one sees whether a Beat has loaded it.
    """

    at: datetime
    number: int
    beats: tuple[BeatStatus, ...] = ()
    enabled: int = 0
    due: tuple[Late, ...] = ()
    overdue: tuple[Late, ...] = ()
    never_ran: tuple[str, ...] = ()
    disabled_long: tuple[str, ...] = ()
    unregistered: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
