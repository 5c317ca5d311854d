"""Celery's scheduler as the ecosystem hooks it: each step runs in its ``tick``, each message in its ``apply_entry``.

Tools for tracing and monitoring wrap these two methods on ``celery.beat.Scheduler``; projects override ``apply_entry``
and ``apply_async``.
"""

from __future__ import annotations

import logging
from typing import Any

from celery.beat import SchedulingError
from django_celery_beat.schedulers import DatabaseScheduler

from schedsync.beat.due_entry import DueEntry, current, fill_record
from schedsync.beat.message import Message


class CeleryHooks(DatabaseScheduler):  # type: ignore[misc]
    """Calls Celery's own methods around what the subclass does in ``take_step``."""

    using: str
    _heap: list[Any] | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._begins_step = False
        self._delay_after_step = 0.0
        # Celery's apply_entry swallows errors, and it calls this one: also errors of a subclass are kept.
        self.apply_async = self._apply_async_and_keep  # type: ignore[method-assign]
        logging.getLogger("celery.beat").addFilter(fill_record)
        super().__init__(*args, **kwargs)

    def take_step(self) -> float:
        """Do all that is to be done now; returns the seconds until there is more to do."""
        raise NotImplementedError

    def _step_in_tick(self) -> float:
        """Take the step inside Celery's ``tick``, where a tool measures it; returns the seconds to wait."""
        # Without a heap Celery's tick calls populate_heap, and nothing else of it is left to do.
        self._heap = None
        self._begins_step = True
        try:
            super().tick()
        finally:
            self._begins_step = False
        return self._delay_after_step

    def populate_heap(self, *args: Any, **kwargs: Any) -> None:
        """Take the step, if Celery's ``tick`` asks for the heap: its entries are all of them, and due ones are few."""
        if not self._begins_step:
            super().populate_heap(*args, **kwargs)
            return
        self._begins_step = False
        self._delay_after_step = self.take_step()
        self._heap = []

    def sync(self) -> None:
        """Do nothing: every run is written back as soon as it is sent."""

    def close(self) -> None:
        """Release also the connection that a hook may have opened, which Celery does since 5.7."""
        try:
            super().close()
        finally:
            self.__dict__.pop("producer", None)
            if (connection := self.__dict__.pop("connection", None)) is not None:
                connection.release()

    def _publish(self, message: Message, producer: Any) -> None:
        """Send a message as Celery sends an entry; raises the error that ``apply_entry`` swallowed."""
        entry = DueEntry(message, self.app, self.using)
        token = current.set(entry)
        try:
            self.apply_entry(entry, producer=producer)
        finally:
            current.reset(token)
        if entry.error is not None:
            raise entry.error

    def _apply_async_and_keep(self, entry: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return type(self).apply_async(self, entry, *args, **kwargs)
        except Exception as error:
            if isinstance(entry, DueEntry):
                entry.keep(error)
            raise

    def apply_async(self, entry: Any, producer: Any = None, advance: bool = True, **kwargs: Any) -> Any:
        """Send an entry; raises SchedulingError, as Celery does."""
        if not isinstance(entry, DueEntry):
            return super().apply_async(entry, producer=producer, advance=advance, **kwargs)
        # Dispatch tries again under the same claim; a retry by Celery would delay all other messages.
        options = {"task_id": entry.next_task_id(), **entry.options, "producer": producer, "retry": False}
        task = self.app.tasks.get(entry.task)
        try:
            if task is not None:
                return task.apply_async(entry.args, entry.kwargs, **options)
            return self.send_task(entry.task, entry.args, entry.kwargs, **options)
        except Exception as error:
            raise SchedulingError(f"Couldn't apply scheduled task {entry.name}: {error}") from error
