"""Sends messages at the request of a person: as Beat does, but without a claim, so that no Beat is disturbed.

A message for a tick of the past has the id that Beat gives it. It says in a header by whom it was sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django_celery_beat.models import PeriodicTask

from schedsync.beat.broker import Broker, Fate, cause_of
from schedsync.beat.loaded_schedule import CannotRun, LoadedSchedule, load
from schedsync.beat.message import DueTick, Message, Payload
from schedsync.beat.sender import without_results
from schedsync.beat.task_rows import TaskRow
from schedsync.calendar.past_ticks import Grid
from schedsync.core.masked_errors import error_line
from schedsync.database.bulk import batches, rows_of
from schedsync.database.columns import ManagedColumns, TaskColumns
from schedsync.database.schedule_rows import read_timings
from schedsync.database.values import Unreadable, read_values
from schedsync.errors import Failed, Unavailable
from schedsync.models import ManagedSchedule

#: The header that says who has sent a message by hand.
BY = "schedsync_run_by"
#: In seconds: how long the broker may take for an answer.
_PATIENCE = 10.0


@dataclass(unsafe_hash=True)
class HandMessage(Message):
    """A message that a person sends; ``own_id`` is its task's id, empty for the id that Beat gives the tick."""

    by: str
    own_id: str = ""

    @property
    def task_id(self) -> str:
        """The id of the task."""
        return self.own_id or DueTick.task_id.__get__(self)

    @property
    def headers(self) -> dict[str, Any]:
        """The headers of Beat's message, and who has sent it."""
        headers: dict[str, Any] = Message.headers.__get__(self)
        return {**headers, BY: self.by}


@dataclass(frozen=True, slots=True)
class Runnable:
    """A schedule that can be sent: what Beat would load of its row, its arguments, and whether it is enabled."""

    loaded: LoadedSchedule
    payload: Payload
    enabled: bool

    @property
    def grid(self) -> Grid:
        """What places its ticks."""
        loaded = self.loaded
        last = loaded.last_run or loaded.changed
        ran = loaded.last_run is not None
        return Grid(loaded.timing, last, ran, loaded.start, loaded.expires, loaded.one_off)


def read_runnable(using: str, names: Iterable[str]) -> tuple[dict[str, Runnable], dict[str, str]]:
    """Read rows by their names, disabled ones too; returns those that can be sent, and why the others cannot."""
    runnable: dict[str, Runnable] = {}
    reasons: dict[str, str] = {}
    for batch in batches(sorted(names)):
        rows = rows_of(PeriodicTask, using).filter(name__in=batch).order_by()
        read = [(values[0], values[1:]) for values in read_values(rows, ("enabled", *TaskColumns._fields))]
        readable = [(enabled, TaskColumns(*values)) for enabled, values in read if not _is_damaged(values)]
        reasons |= {str(values[1]): "its row cannot be read" for _, values in read if _is_damaged(values)}
        timings = _timings(using, [columns for _, columns in readable])
        managed = _managed(using, [columns.id for _, columns in readable])
        for enabled, columns in readable:
            row = TaskRow(columns.id, columns, 0, managed.get(columns.id, ManagedColumns()), by_apply=False)
            try:
                loaded = load(row, columns, timings, None)
            except CannotRun as error:
                reasons[columns.name] = str(error)
            else:
                payload = Payload(columns.args or "[]", columns.kwargs or "{}", columns.headers or "{}")
                runnable[columns.name] = Runnable(loaded, payload, bool(enabled))
        reasons |= {name: "its row is gone" for name in batch if name not in runnable and name not in reasons}
    return runnable, reasons


def _is_damaged(values: Iterable[Any]) -> bool:
    return any(isinstance(value, Unreadable) for value in values)


def _timings(using: str, rows: list[TaskColumns]) -> dict[tuple[str, int], Any]:
    ids: dict[str, set[int]] = {}
    for row in rows:
        for kind, row_id in row.timing_rows:
            ids.setdefault(kind, set()).add(row_id)
    return {row: timing for kind, those in ids.items() for row, timing in read_timings(using, kind, those).items()}


def _managed(using: str, ids: list[int]) -> dict[int, ManagedColumns]:
    rows = rows_of(ManagedSchedule, using).filter(row_id__in=ids).order_by()
    read = read_values(rows, ("row_id", *ManagedColumns._fields))
    return {row_id: ManagedColumns(*values) for row_id, *values in read if not _is_damaged(values)}


class _QuietBroker(Broker):
    """Beat's connection, whose trouble the caller tells."""

    def down(self, error: Exception) -> None:
        """Note that the broker cannot be reached."""
        self.trouble = error_line(error)
        self.drop()


class HandSender:
    """Sends by a connection of its own, one message at a time."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._broker = _QuietBroker(app, _PATIENCE)

    def connect(self) -> None:
        """Connect if needed; raises Unavailable where the broker cannot be reached."""
        if not self._broker.ready():
            hint = "check `broker_url`, and that the broker runs"
            raise Unavailable(f"the broker cannot be reached: {self._broker.trouble}", hint=hint)

    def close(self) -> None:
        """Give the connection back."""
        self._broker.close()

    def send(self, message: Message) -> None:
        """Send a message; raises Unavailable if the connection breaks, Failed if the broker refuses the message."""
        self.connect()
        try:
            with without_results():
                self._publish(message)
        except Exception as error:
            fate, name = self._broker.fate_of(error), message.name
            reason = error_line(cause_of(error))
            self._broker.drop()
            if fate is Fate.BROKEN:
                text = f"the connection to the broker broke; `{name}` may have been sent as task {message.task_id}"
                raise Unavailable(f"{text}: {reason}", hint="check the broker, and whether the task ran") from error
            text = f"the broker refuses `{name}`" if fate is Fate.REFUSED else f"`{name}` cannot be sent"
            raise Failed(f"{text}: {reason}") from error

    def _publish(self, message: Message) -> None:
        options = {"task_id": message.task_id, **message.options, "producer": self._broker.producer, "retry": False}
        task = self._app.tasks.get(message.task)
        if task is None:
            self._app.send_task(message.task, message.args, message.kwargs, **options)
        else:
            task.apply_async(message.args, message.kwargs, **options)
