"""A schedule that was rolled back: the form that its files still say is rejected, and another one is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from schedsync.core.location import Location
from schedsync.core.schedule import Spec

#: The first digits of a run's id, as people read it.
SHORT = 8


@dataclass(frozen=True, slots=True)
class RolledBack:
    """One rolled-back schedule: what its files may not bring back, and what stays in their place.

    While the files give ``name`` one of the ``rejected`` forms, the schedule ``kept_name`` has the form ``kept``. None
    means that there is no such schedule: ``rejected`` has None where the files deleted it, and ``kept`` is None where
    they had created it. ``kept_name`` differs from ``name`` only where a rename was rolled back. ``released`` says
    that the row of an adoption was given back, and that nobody manages it. ``run`` is the id of the rollback's audit
    record.
    """

    name: str
    rejected: tuple[Spec | None, ...]
    kept: Spec | None
    kept_name: str
    reason: str
    who: str
    since: datetime
    run: str
    released: bool = False
    location: Location | None = None

    @property
    def names(self) -> frozenset[str]:
        """The names that the schedule has in the files and in the tables."""
        return frozenset({self.name, self.kept_name})

    @property
    def is_damaged(self) -> bool:
        """Say whether its forms cannot be read: there are no rejected ones then, and nothing may touch the schedule."""
        return not self.rejected

    @property
    def short_run(self) -> str:
        """The id of the rollback's run, as people read it."""
        return self.run[:SHORT]


@dataclass(frozen=True, slots=True)
class Marks:
    """What one transaction writes about rolled-back schedules: new ones, and earlier ones that are over."""

    new: tuple[RolledBack, ...] = ()
    over: tuple[RolledBack, ...] = ()

    def __bool__(self) -> bool:
        """Say whether there is anything to write."""
        return bool(self.new or self.over)


#: Nothing is written about rolled-back schedules.
NO_MARKS = Marks()
