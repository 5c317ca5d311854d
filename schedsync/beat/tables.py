"""The tables that a Beat cannot work without, and the wait for ``migrate`` to make them."""

from __future__ import annotations

import logging

from django.db import DatabaseError, connections
from django_celery_beat.models import PeriodicTask

from schedsync.models import ApplyLock, Beat, Claim, Lease, ManagedSchedule, Pause, SyncRun

logger = logging.getLogger(__name__)

#: A table that a later migration adds does not belong here: until that migration has run, Beat works without the
#: feature that needs the table.
_NEEDED = (PeriodicTask, ManagedSchedule, Pause, SyncRun, ApplyLock, Lease, Claim, Beat)


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

    def require(self) -> None:
        """Raise NotMigrated if a table is missing, and log it once; raises what the database raises."""
        if self._are_there:
            return
        present = set(connections[self._using].introspection.table_names())
        missing = [name for model in _NEEDED if (name := model._meta.db_table) not in present]
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
