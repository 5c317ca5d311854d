"""The schedules as ``schedsync list`` shows them: one state each, its timing, next and last run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from schedsync.core.break_glass import Opened
from schedsync.core.full_pause import FullyPaused
from schedsync.core.observed import Paused
from schedsync.core.removing import Removing
from schedsync.core.rollback import RolledBack
from schedsync.core.schedule import NOBODY, People, Spec
from schedsync.core.standing import Standing

#: The states by their words, in the order in which they are counted.
STATES = ("ok", "paused", "held", "drifted", "rolled-back", "disabled", "completed", "unmanaged", "removing")


@dataclass(frozen=True, slots=True)
class LastRun:
    """The tick that a schedule ran for last, and how late, in seconds; None where only the time of the run is known.

    ``skipped`` says that nothing was sent for this tick, because the run before it had not ended (``overlap: skip``).
    """

    at: datetime
    late: float | None = None
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class ListedSchedule:
    """One schedule.

    ``spec`` is None where the row cannot be read, or is gone; ``problem`` then says why. ``due`` is the oldest tick
    that it owes already, ``next_run`` the first one ahead. ``set`` is None where nobody manages it. ``removing`` is its
    grace where an apply has disabled it, because no file defines it any more. ``opened`` says who lets the admin edit
    it, until the next apply.
    """

    name: str
    state: str
    set: str | None = None
    spec: Spec | None = None
    problem: str | None = None
    people: People = NOBODY
    next_run: datetime | None = None
    due: datetime | None = None
    last_run: LastRun | None = None
    pause: Paused | None = None
    removing: Removing | None = None
    rolled_back: RolledBack | None = None
    opened: Opened | None = None


@dataclass(frozen=True)
class Listing:
    """The chosen schedules by name, when they were read, and the pauses of everything and of selectors that last."""

    at: datetime
    schedules: tuple[ListedSchedule, ...] = ()
    full_pause: FullyPaused | None = None
    standing: tuple[Standing, ...] = ()

    def counts(self) -> dict[str, int]:
        """Return how many schedules have each state, without states that none has."""
        found = Counter(schedule.state for schedule in self.schedules)
        return {state: found[state] for state in STATES if found[state]}


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """One schedule in each environment; None where it is absent. ``differing`` are fields that are not alike."""

    name: str
    specs: Mapping[str, Spec | None]
    differing: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether it is absent somewhere, or has another value in some field."""
        return bool(self.differing) or None in self.specs.values()


@dataclass(frozen=True)
class Matrix:
    """The schedules of a set in its environments; ``unexpanded`` are definitions whose schedules are not known."""

    set: str
    environments: tuple[str, ...]
    rows: tuple[MatrixRow, ...] = ()
    unexpanded: tuple[str, ...] = field(default=())
