"""The state of Beats and schedules, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from schedsync.core.full_pause import FullyPaused


@dataclass(frozen=True, slots=True)
class BeatStatus:
    """One live Beat; times are by the database's clock, ``seen`` is the time since its last heartbeat.

    ``loaded`` is the number of the last change that it has loaded; ``trouble`` is its warning, or empty.
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
    """A schedule whose tick is due, and that has not run for it yet."""

    name: str
    tick: datetime


@dataclass(frozen=True, slots=True)
class Failed:
    """A schedule whose last message could not be sent; Beat tries again, unless it was given up.

    ``at`` is by the database's clock.
    """

    name: str
    tick: datetime
    at: datetime
    reason: str
    given_up: bool


@dataclass(frozen=True, slots=True)
class Status:
    """The values that ``schedsync status`` shows; schedules are given by their names.

    ``number`` is that of the last change; a Beat whose ``loaded`` is lower has not loaded it yet. ``full_pause`` is the
    pause of everything while it lasts.
    """

    at: datetime
    number: int
    beats: tuple[BeatStatus, ...] = ()
    enabled: int = 0
    due: tuple[Late, ...] = ()
    overdue: tuple[Late, ...] = ()
    failed: tuple[Failed, ...] = ()
    never_ran: tuple[str, ...] = ()
    disabled_long: tuple[str, ...] = ()
    unregistered: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    full_pause: FullyPaused | None = None
