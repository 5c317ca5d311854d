"""A tick that is due, and its message: what Celery sends for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from schedsync.beat.loaded_schedule import LoadedSchedule
from schedsync.core.task_id import task_id
from schedsync.core.timing import instant_text
from schedsync.worker.marks import HEADER

#: The options of ``apply_async`` that are columns of a row, in their order in ``LoadedSchedule.options``.
OPTIONS = ("queue", "exchange", "routing_key", "priority")


class Payload(NamedTuple):
    """The arguments and headers of a row, as JSON."""

    args: str = "[]"
    kwargs: str = "{}"
    headers: str = "{}"


# Not frozen, although nothing changes them: Python makes a frozen one in three times the time.
@dataclass(slots=True, unsafe_hash=True)
class DueTick:
    """A tick of a schedule that is to be claimed or sent."""

    loaded: LoadedSchedule
    tick: datetime

    @property
    def row_id(self) -> int:
        """The id of the schedule's row."""
        return self.loaded.row_id

    @property
    def one_off(self) -> bool:
        """Whether the schedule runs once."""
        return self.loaded.one_off

    @property
    def key(self) -> tuple[int, datetime]:
        """The key of its claim: the row's id, and the tick."""
        return self.loaded.row_id, self.tick

    @property
    def task_id(self) -> str:
        """The id of the task, which is the same for the same tick."""
        return task_id(self.loaded.name, self.tick)


@dataclass(slots=True, unsafe_hash=True)
class Message(DueTick):
    """The message of one tick, with the attributes that Celery's Beat and its hooks read from a schedule entry.

    ``payload`` was read in the same statement as the fingerprint of the row that is loaded.
    """

    payload: Payload

    @property
    def name(self) -> str:
        """The schedule's name."""
        return self.loaded.name

    @property
    def task(self) -> str:
        """The task's name."""
        return self.loaded.task

    @property
    def args(self) -> list[Any]:
        """The positional arguments."""
        return [] if self.payload.args == "[]" else list(json.loads(self.payload.args))

    @property
    def kwargs(self) -> dict[str, Any]:
        """The keyword arguments."""
        return {} if self.payload.kwargs == "{}" else dict(json.loads(self.payload.kwargs))

    @property
    def options(self) -> dict[str, Any]:
        """The options of ``apply_async``: the row's, and the headers that say why it runs."""
        loaded = self.loaded
        options = {name: value for name, value in zip(OPTIONS, loaded.options, strict=True) if value is not None}
        # In this order, and a count of 0 means none: django_celery_beat/models.py ``PeriodicTask.expires_``.
        expires = loaded.expires or loaded.expires_after
        if expires is not None:
            options["expires"] = expires
        return options | {"headers": self.headers}

    @property
    def headers(self) -> dict[str, Any]:
        """The row's headers, those of stock Beat, and those that schedsync adds."""
        loaded = self.loaded
        added: Mapping[str, Any] = {
            "periodic_task_name": loaded.name,
            "celery_beat_task": True,
            "schedsync_schedule": loaded.name,
            "schedsync_tick": instant_text(self.tick),
        }
        set_name, commit, overlap = loaded.managed[:3]
        managed = {} if set_name is None else {"schedsync_set": set_name, "schedsync_commit": commit or None}
        if overlap is not None:
            # Workers note when such a run starts and ends.
            managed[HEADER] = overlap
        own = {} if self.payload.headers == "{}" else json.loads(self.payload.headers)
        return {**own, **added, **managed}
