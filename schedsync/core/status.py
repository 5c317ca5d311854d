"""The state of Beats and schedules, as values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Generic, TypeVar

from schedsync.core.full_pause import FullyPaused
from schedsync.core.standing import Standing

T = TypeVar("T")

#: How many entries of a list are kept; the rest is only counted.
LISTED = 1000


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """How many there are, and the first of them in the order of their names."""

    count: int = 0
    first: tuple[T, ...] = ()

    @classmethod
    def of(cls, values: Iterable[T]) -> Listed[T]:
        """Count values that are in order, and keep the first ones."""
        everything = tuple(values)
        return cls(len(everything), everything[:LISTED])

    def merged(self, other: Listed[T], name: Callable[[T], str]) -> Listed[T]:
        """Return both lists as one."""
        if not self.count or not other.count:
            return self if self.count else other
        first = sorted((*self.first, *other.first), key=name)
        return Listed(self.count + other.count, tuple(first[:LISTED]))


@dataclass(frozen=True, slots=True)
class BeatStatus:
    """One live Beat; times are by the database's clock, ``seen`` is the time since its last heartbeat.

    ``loaded`` is the number of the last change that it has loaded; ``trouble`` is its warning, or empty. ``report`` is
    None for a Beat of an older version.
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
    report: BeatReport | None = None


@dataclass(frozen=True, slots=True)
class BeatReport:
    """What a Beat reports: rows that cannot run, the broker, the last tick, its clock; ``clock_ahead`` in seconds.

    ``last_late`` says how many seconds late the last tick was sent.
    """

    broken: Listed[Broken] = field(default_factory=Listed)
    broker_trouble: str = ""
    broker_trouble_since: datetime | None = None
    last_tick: datetime | None = None
    last_late: float | None = None
    clock_ahead: float | None = None
    environment: str | None = None


@dataclass(frozen=True, slots=True)
class LastBeat:
    """The Beat that registered last, where none runs; ``ended_at`` is None if it did not end in good order."""

    name: str
    ended_at: datetime | None = None


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
class Broken:
    """A schedule that cannot run."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class LastApply:
    """The last apply of one set; ``counts`` are its changes by kind."""

    set: str
    environment: str | None
    commit: str | None
    who: str
    at: datetime
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Stopped:
    """A schedule that a human has stopped, rolled back or opened for editing.

    ``until`` is that of a pause, None for one without an end.
    """

    name: str
    who: str | None = None
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class FrozenSet:
    """A set of which nothing is applied now; ``until`` is None where the freeze never ends.

    ``commit`` is that of the files in which the freeze was seen last, empty where it is not known.
    """

    set: str
    environment: str | None
    until: datetime | None
    reason: str
    commit: str = ""


@dataclass(frozen=True, slots=True)
class Removed:
    """A schedule that no file defines any more: disabled at ``since``, and deleted by an apply after ``until``."""

    name: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Schedules:
    """How the schedules run."""

    enabled: int = 0
    due: Listed[Late] = field(default_factory=Listed)
    overdue: Listed[Late] = field(default_factory=Listed)
    never_ran: Listed[str] = field(default_factory=Listed)
    disabled_long: Listed[str] = field(default_factory=Listed)
    unregistered: Listed[str] = field(default_factory=Listed)
    broken: Listed[Broken] = field(default_factory=Listed)


@dataclass(frozen=True, slots=True)
class Management:
    """What Git manages, and what somebody changed since the last apply.

    ``drifted`` and ``held`` are None where too many rows were saved since to compare them here. ``standing`` are the
    pauses that schedules which come later fall under, too. ``rolled_back`` are the schedules that applies leave alone
    until their files change. ``monitors_waiting`` counts what services were not told yet. ``opened`` can be edited in
    the admin until the next apply. ``frozen`` are sets of which a freeze allows no apply now.
    """

    applies: tuple[LastApply, ...] = ()
    managed: int = 0
    unmanaged: Listed[str] = field(default_factory=Listed)
    paused: Listed[Stopped] = field(default_factory=Listed)
    standing: tuple[Standing, ...] = ()
    held: Listed[Stopped] | None = field(default_factory=Listed)
    drifted: Listed[str] | None = field(default_factory=Listed)
    removing: Listed[Removed] = field(default_factory=Listed)
    rolled_back: Listed[Stopped] = field(default_factory=Listed)
    monitors_waiting: int = 0
    opened: Listed[Stopped] = field(default_factory=Listed)
    frozen: tuple[FrozenSet, ...] = ()


class Verdict(Enum):
    """The first word of ``schedsync status``."""

    OK = "OK"
    NOT_OK = "NOT OK"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Status:
    """The values that ``schedsync status`` shows.

    ``number`` is that of the last change; a Beat whose ``loaded`` is lower has not loaded it yet. ``problems`` are the
    reasons for NOT OK, by a stable word. ``clock`` is the database's time. ``environment`` is the one that the database
    belongs to, or None. ``full_pause`` is the pause of everything while it lasts.
    """

    at: datetime
    clock: datetime
    number: int
    verdict: Verdict = Verdict.UNKNOWN
    problems: dict[str, str] = field(default_factory=dict)
    environment: str | None = None
    full_pause: FullyPaused | None = None
    beats: tuple[BeatStatus, ...] = ()
    last_beat: LastBeat | None = None
    schedules: Schedules = field(default_factory=Schedules)
    failed: Listed[Failed] = field(default_factory=Listed)
    management: Management = field(default_factory=Management)


def named(value: Any) -> str:
    """Return the name by which an entry of a list is sorted."""
    return value if isinstance(value, str) else str(value.name)
