"""The alarms about runs that failed in the workers, as far as django-celery-results keeps them."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import DatabaseError, InterfaceError, connections

from schedsync.core.alarm import Alarm, Kind
from schedsync.core.masked_errors import error_line
from schedsync.database.clock import now
from schedsync.database.failed_runs import failing_schedules, results_alias

logger = logging.getLogger(__name__)

#: Results before that are not read: a schedule that runs once a week has two of them.
_SPAN = timedelta(days=15)
#: Seconds between two looks, and before the next one after an error or without the table.
_EVERY, _LATER = 60.0, 600.0


@dataclass
class FailedRuns:
    """Looks once a minute; between two looks, and while it cannot be read, the last answer holds."""

    using: str
    _alarms: Sequence[Alarm] = ()
    _next: float = 0.0

    def alarms(self) -> Sequence[Alarm]:
        """Return an alarm for each schedule whose last runs failed; raises nothing that a database causes."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _EVERY
            self._look()
        return self._alarms

    def _look(self) -> None:
        alias = self.using
        try:
            found = results_alias(self.using)
            if found is None:
                self._alarms, self._next = (), time.monotonic() + _LATER
                return
            alias = found
            failing = failing_schedules(self.using, alias, now() - _SPAN)
            self._alarms = [Alarm(Kind.FAILING, name, _text(count)) for name, count in failing.items()]
        except (DatabaseError, InterfaceError) as error:
            # Usually because the role of Beat may not read the results.
            self._next = time.monotonic() + _LATER
            logger.info("the results of runs cannot be read: %s", error_line(error))
        finally:
            if alias != self.using:
                connections[alias].close()


def _text(count: int) -> str:
    return "its last run failed" if count == 1 else f"its last {count:,} runs failed"
