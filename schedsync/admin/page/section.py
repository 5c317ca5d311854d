"""A section of the page, and what it may know of the request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from django_celery_beat.models import PeriodicTask

from schedsync.core.history import History, Wanted
from schedsync.core.status import Status
from schedsync.database.bulk import rows_of
from schedsync.database.faults import database_errors
from schedsync.database.tables import has_more
from schedsync.usecases.history import history
from schedsync.usecases.status import status

#: With more schedules, a section that has to read all of them is made only for those who ask for it.
MOST_AT_ONCE = 1000
#: How many of the last changes are shown.
MOST_CHANGES = 20


@dataclass(frozen=True)
class Seen:
    """One request: the database's alias, the time in UTC, the user, the admin site, and its GET parameters."""

    using: str
    now: datetime
    user: Any
    site: Any
    query: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def status(self) -> Status:
        """How Beat and the schedules are doing, read once for all sections."""
        return status(self.using)

    @cached_property
    def history(self) -> History:
        """The last changes, read once for all sections."""
        return history(self.using, Wanted(limit=MOST_CHANGES))

    @property
    def only(self) -> str:
        """The key of the only section that is asked for; empty for all of them."""
        return self.query.get("only", "")

    @cached_property
    def _is_large(self) -> bool:
        with database_errors(self.using):
            return has_more(rows_of(PeriodicTask, self.using), MOST_AT_ONCE)

    def waits(self, key: str) -> bool:
        """Say whether a section that has to read all schedules waits until somebody asks for it."""
        return self.only != key and self._is_large


@dataclass(frozen=True)
class Section:
    """A part of the page: a key that is unique on it, the heading, the template, and the values for it."""

    key: str
    title: str
    template: str
    context: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def waiting(cls, key: str, title: str, verb: str) -> Section:
        """Return a section that is only a link to itself; ``verb`` says what a click does."""
        return cls(key, title, "schedsync/page/waiting.html", {"key": key, "verb": verb, "most": f"{MOST_AT_ONCE:,}"})
