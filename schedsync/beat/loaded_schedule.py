"""One schedule as Beat keeps it: small, because there may be a hundred thousand; and the message of one tick."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from functools import lru_cache
from typing import Any

from schedsync.calendar.ticks import Lateness, first_tick
from schedsync.core.timing import Timing, instant_text
from schedsync.database.columns import ManagedColumns

#: Of the task ids: the same schedule and tick have the same id, whoever sends it and however often.
_NAMESPACE = uuid.UUID("6f1f5f5e-2f3b-5d0c-9c1a-5a1b6d2b8f10")
_OPTIONS = ("queue", "exchange", "routing_key", "priority")
AT_MOST_ONCE = "at_most_once"


class Trace(Enum):
    """Of another scheduler in a row: its count grew, or its last run moved, which an edit by hand may have done."""

    SURE = "sure"
    FAINT = "faint"


class LoadedSchedule:
    """An enabled row that can run: what is sent, when, and what Beat knows of its last run."""

    __slots__ = (
        "args",
        "changed",
        "count",
        "expires",
        "expires_after",
        "fingerprint",
        "headers",
        "kwargs",
        "last_run",
        "lateness",
        "managed",
        "name",
        "once",
        "one_off",
        "options",
        "row_id",
        "start",
        "task",
        "tick",
        "timing",
        "timing_row",
    )  # fmt: skip

    row_id: int
    fingerprint: int
    name: str
    task: str
    args: str
    kwargs: str
    headers: str
    options: tuple[Any, ...]
    expires_after: int | None
    expires: datetime | None
    start: datetime | None
    one_off: bool
    timing: Timing
    timing_row: tuple[str, int]
    last_run: datetime | None
    count: int
    changed: datetime
    managed: ManagedColumns
    once: bool
    lateness: Lateness
    tick: datetime | None

    @classmethod
    def gone(cls, row_id: int) -> LoadedSchedule:
        """Return what stands for a row that was deleted or disabled since its tick was claimed."""
        entry = cls()
        entry.row_id, entry.one_off, entry.name = row_id, False, ""
        return entry

    def plan(self) -> None:
        """Work the next tick out from the last run."""
        last = self.last_run if self.last_run is not None else self.changed
        self.tick = first_tick(self.timing, last, self.start, ran=self.last_run is not None)

    @property
    def wakes_at(self) -> datetime | None:
        """When Beat has something to do with it: its tick, or its end, which comes without one."""
        if self.expires is not None and (self.tick is None or self.expires < self.tick):
            return self.expires
        return self.tick

    def trace(self, last_run: datetime | None, count: int, *, explained: bool) -> Trace | None:
        """Say whether the runs in its row as it is now are those of another scheduler.

        ``explained`` says that an apply wrote the last run; it may put it before a start ahead too.
        """
        if last_run is None or explained or (self.last_run is not None and last_run <= self.last_run):
            return None
        if count > self.count:
            return Trace.SURE
        return Trace.FAINT if count == self.count and last_run <= datetime.now(timezone.utc) else None

    @property
    def is_done(self) -> bool:
        """Whether it was to run once, and has (django_celery_beat/schedulers.py ``ModelEntry.is_due``)."""
        return self.one_off and self.count > 0


@dataclass(frozen=True, slots=True)
class Message:
    """The message of one tick, with the fields that Celery's Beat and its hooks read from an entry."""

    entry: LoadedSchedule
    tick: datetime

    @property
    def key(self) -> tuple[int, datetime]:
        """What there is one claim of: the row's id, and the tick."""
        return self.entry.row_id, self.tick

    @property
    def name(self) -> str:
        """The schedule's name."""
        return self.entry.name

    @property
    def task(self) -> str:
        """The task's name."""
        return self.entry.task

    @property
    def args(self) -> list[Any]:
        """The positional arguments."""
        return list(parsed(self.entry.args))

    @property
    def kwargs(self) -> dict[str, Any]:
        """The keyword arguments."""
        return dict(parsed(self.entry.kwargs))

    @property
    def task_id(self) -> str:
        """The id of the task, which is the same for the same tick."""
        return str(uuid.uuid5(_NAMESPACE, f"{self.entry.name}@{instant_text(self.tick)}"))

    @property
    def options(self) -> dict[str, Any]:
        """The options of ``apply_async``: the row's, the headers that say why, and the id."""
        entry = self.entry
        options = {name: value for name, value in zip(_OPTIONS, entry.options, strict=True) if value is not None}
        # In this order, and a count of 0 means none: django_celery_beat/models.py ``PeriodicTask.expires_``.
        expires = entry.expires or entry.expires_after
        if expires is not None:
            options["expires"] = expires
        return options | {"headers": self.headers, "task_id": self.task_id}

    @property
    def headers(self) -> dict[str, Any]:
        """The row's headers, those of stock Beat, and ours."""
        entry = self.entry
        ours: Mapping[str, Any] = {
            "periodic_task_name": entry.name,
            "celery_beat_task": True,
            "schedsync_schedule": entry.name,
            "schedsync_tick": instant_text(self.tick),
        }
        set_name, commit = entry.managed[:2]
        managed = {} if set_name is None else {"schedsync_set": set_name, "schedsync_commit": commit or None}
        return {**parsed(entry.headers), **ours, **managed}


@lru_cache(maxsize=4096)
def parsed(text: str) -> Any:
    """Read JSON that repeats; the value is shared, and must be copied before it goes out."""
    return json.loads(text)


@lru_cache(maxsize=4096)
def lateness_of(missed: str, deadline: int | None) -> Lateness:
    """Return what a schedule says about late runs, one value for all that say the same."""
    return Lateness(missed, None if deadline is None else timedelta(seconds=deadline))
