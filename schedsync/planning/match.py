"""Find the row of each schedule in the files, also where either of them was renamed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from schedsync.core.adoption import Adoption
from schedsync.core.observed import Managed, Observed, Paused, Row
from schedsync.core.schedule import Desired, Schedule
from schedsync.planning.pair import Pair
from schedsync.planning.removal import before_removal
from schedsync.planning.standing import under_standing


@dataclass(frozen=True, slots=True)
class Matcher:
    """Looks up rows, ledger and pauses for the schedules of the files."""

    desired: Desired
    observed: Observed
    now: datetime

    def pair(self, schedule: Schedule) -> Pair:
        """Return a schedule with its row, its ledger entry and its pause, each None where there is none.

        A pause may be a standing one, under which the schedule comes now. The row has another name where the schedule
        was renamed in the files, or the row by hand.
        """
        return under_standing(self._pair(schedule), self.observed)

    def _pair(self, schedule: Schedule) -> Pair:
        name, observed = schedule.name, self.observed
        managed, pause = before_removal(observed.ledger.get(name)), self._pause(name)
        if managed is None and (old := self._renamed_from(schedule)):
            pause = pause or self._pause(old)
            return Pair(schedule, observed.rows[old], before_removal(observed.ledger.get(old)), pause, self.now)
        row = observed.rows.get(name)
        if row is None and managed is not None:
            row = self._renamed_by_hand(managed)
        return Pair(schedule, row, managed, pause, self.now)

    def unwanted(self, renamed: Collection[str]) -> Iterator[tuple[Managed, Row]]:
        """Yield each managed schedule that is in no file any more, and its row; ``renamed`` are names to leave out."""
        for name, managed in self.observed.ledger.items():
            if name in self.desired.schedules or name in renamed:
                continue
            row = self.observed.rows.get(name) or self._renamed_by_hand(managed)
            if row is not None:
                yield managed, row

    def lost_rows(self) -> tuple[str, ...]:
        """Return the names in the ledger that are in no file, and whose row somebody deleted."""
        ledger, rows = self.observed.ledger, self.observed.rows
        gone = (name for name in ledger if name not in rows and name not in self.desired.schedules)
        return tuple(name for name in gone if self._renamed_by_hand(ledger[name]) is None)

    def _renamed_from(self, schedule: Schedule) -> str | None:
        """Return the name of the row that becomes this schedule, or None where ``renamed_from`` does not apply."""
        old, rows, observed = schedule.renamed_from, self.observed.rows, self.observed
        if old is None or old in self.desired.schedules or old not in rows or schedule.name in rows:
            return None
        may_take = old in observed.ledger or Adoption().takes(schedule, observed.elsewhere.get(old))
        return old if may_take else None

    def _renamed_by_hand(self, managed: Managed) -> Row | None:
        """Return our row where somebody renamed it, unless the files or another set own the new name."""
        row = None if managed.row_id is None else self.observed.by_id.get(managed.row_id)
        if row is None or row.name in self.desired.schedules or row.name in self.observed.ledger:
            return None
        return None if row.name in self.observed.elsewhere else row

    def _pause(self, name: str) -> Paused | None:
        """Return the pause of a name; None too where it is over and the schedule was held before, and stays so."""
        pause = self.observed.pauses.get(name)
        return None if pause is not None and pause.was_held and pause.ended(self.now) else pause
