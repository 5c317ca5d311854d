"""The tables that a Beat cannot work without, and the wait for ``migrate`` to make them."""

from __future__ import annotations

import logging
import time

from django.db import DatabaseError, connections
from django.db.models import Model
from django_celery_beat.models import PeriodicTask

from schedsync.models import ApplyLock, Beat, Claim, Lease, ManagedSchedule, Pause, SyncRun

logger = logging.getLogger(__name__)

#: A table that a later migration adds does not belong here: until that migration has run, Beat works without the
#: feature that needs the table, and asks :meth:`Tables.has`.
_NEEDED = (PeriodicTask, ManagedSchedule, Pause, SyncRun, ApplyLock, Lease, Claim, Beat)


#: Seconds between looks for a table that is not there yet.
_LOOK = 60.0


class NotMigrated(DatabaseError):
    """A table that Beat needs is missing."""

    def __init__(self, tables: list[str]) -> None:
        super().__init__(f"waiting until `python manage.py migrate` has run: no table {', '.join(tables)}")


class Tables:
    """Whether the tables are there; the database is asked until they are."""

    def __init__(self, using: str) -> None:
        self._using = using
        self._are_there = False
        self._is_announced = False
        self._present: frozenset[str] = frozenset()
        self._next_look = 0.0

    def has(self, *models: type[Model]) -> bool:
        """Say whether the tables of later migrations are there; looks again every minute while one is missing.

        Raises what the database raises.
        """
        names = {model._meta.db_table for model in models}
        if not names <= self._present and time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + _LOOK
            self._present = self._names()
        return names <= self._present

    def _names(self) -> frozenset[str]:
        return frozenset(connections[self._using].introspection.table_names())

    def require(self) -> None:
        """Raise NotMigrated if a table is missing, and log it once; raises what the database raises."""
        if self._are_there:
            return
        self._present = self._names()
        missing = [name for model in _NEEDED if (name := model._meta.db_table) not in self._present]
        if missing:
            error = NotMigrated(missing)
            if not self._is_announced:
                logger.error("%s", error)
            self._is_announced = True
            raise error
        self._are_there, self._is_announced = True, False

    def ask_again(self) -> None:
        """Ask the database again: after a failure a table may be missing."""
        self._are_there = False
