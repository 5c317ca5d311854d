"""The entry of one message, as Celery and the tools that hook its Beat know entries."""

from __future__ import annotations

import logging
import uuid
from contextvars import ContextVar
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any

from celery.beat import ScheduleEntry, SchedulingError
from django_celery_beat.clockedschedule import clocked
from django_celery_beat.models import PeriodicTask

from schedsync.beat.message import Message
from schedsync.beat.scan import TimingRow
from schedsync.calendar.stock_beat import celery_schedule
from schedsync.core.masked_errors import error_line
from schedsync.core.timing import Clocked, Timing
from schedsync.database.bounded import bounded
from schedsync.database.schedule_rows import TIMING_MODELS

logger = logging.getLogger(__name__)
#: The logger of Celery's Beat.
_beat_logger = logging.getLogger("celery.beat")

#: The entry that is being sent, of which Celery's Beat writes log lines.
current: ContextVar[DueEntry | None] = ContextVar("current", default=None)


class DueEntry(ScheduleEntry):
    """An entry that is sent once. Hooks may change its args, kwargs and options; the schedule does not see it.

    ``error`` is the error that Celery's ``apply_entry`` swallowed, or None.
    """

    def __init__(self, message: Message, app: Any, using: str) -> None:
        # Not the constructor of the base: it would make the schedule now, and no tool may ask for it.
        self.message = message
        self.app = app
        self.name, self.task = message.name, message.task
        self.args: Any = message.args
        self.kwargs: Any = message.kwargs
        self.options: Any = message.options
        self.last_run_at = message.loaded.last_run or message.loaded.changed
        self.total_run_count = message.loaded.count
        self.error: BaseException | None = None
        self._using = using
        self._sends = 0

    @cached_property
    def schedule(self) -> Any:  # type: ignore[override]
        """Celery's schedule object, from the text of the row: tools show the crontab as its author wrote it."""
        loaded = self.message.loaded
        try:
            return _schedule(self._using, loaded.timing_row, loaded.timing)
        except Exception as error:
            # The message does not depend on what a tool asks for.
            logger.info("the schedule of `%s` is not read from its row: %s", self.name, error_line(error))
            timing = loaded.timing
            return clocked(timing.at) if isinstance(timing, Clocked) else celery_schedule(timing)

    @cached_property
    def model(self) -> PeriodicTask:
        """The row as it is now, which entries of django-celery-beat have too."""
        return PeriodicTask._default_manager.using(self._using).get(pk=self.message.row_id)

    def __next__(self, last_run_at: datetime | None = None) -> DueEntry:
        """Return the same entry for a hook that reserves it: the run is written back by its claim."""
        return self

    def next_task_id(self) -> str:
        """Return the id for the next send: a hook may send one entry several times, for example once a tenant."""
        self._sends += 1
        first = self.message.task_id
        return first if self._sends == 1 else str(uuid.uuid5(uuid.UUID(first), str(self._sends)))

    def keep(self, error: Exception) -> None:
        """Keep the first error of ``apply_async``, which Celery's ``apply_entry`` only logs."""
        if self.error is None:
            self.error = error.__cause__ if isinstance(error, SchedulingError) and error.__cause__ else error


@lru_cache(maxsize=4096)
def _schedule(using: str, row: TimingRow, _timing: Timing) -> Any:
    """Return the schedule of a timing's row; the timing is part of the key, so an edit of the row is read again."""
    kind, row_id = row
    with bounded(using, timedelta(seconds=1)):
        timing_row: Any = TIMING_MODELS[kind]._default_manager.using(using).get(pk=row_id)
        return timing_row.schedule


def say_sending(message: Message, app: Any, using: str) -> None:
    """Write the line that Celery's ``apply_entry`` writes before it sends."""
    if _beat_logger.isEnabledFor(logging.INFO):
        token = current.set(DueEntry(message, app, using))
        try:
            _beat_logger.info("Scheduler: Sending due task %s (%s)", message.name, message.task)
        finally:
            current.reset(token)


def fill_record(record: logging.LogRecord) -> bool:
    """Add the schedule, its task and its tick to a line of Celery's Beat; a filter for its logger.

    Celery's line of an error is left out: what becomes of the message is logged once, by the sender.
    """
    entry = current.get()
    if entry is None:
        return True
    record.schedule, record.task, record.tick = entry.name, entry.task, entry.message.tick.isoformat()
    return entry.error is None or record.levelno < logging.ERROR
