"""Our Beat on a frozen clock: the real scheduler, stepped by hand, that notes what it would send."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

from celery import Celery
from django.db import OperationalError, connections
from django_celery_beat.models import PeriodicTask

from schedsync.beat import Scheduler
from schedsync.beat.message import Message
from schedsync.beat.outbox import Waiting
from tests.beat import beats

app = Celery("tests", broker="memory://", set_as_current=False)
app.conf.update(timezone="UTC", enable_utc=True, result_expires=None)


class NotingScheduler(Scheduler):
    """Notes what is due instead of sending it; can be told to die at a place, or to fail at some messages."""

    dies_at: int | None = None
    fails_at: Callable[[Message], Exception | None] | None = None

    def __init__(self, **kwargs: Any) -> None:
        self.sent: list[tuple[datetime, Message]] = []
        beats.note(self)
        super().__init__(app=app, **kwargs)
        self._finalize.cancel()

    def apply_async(self, entry: Any, producer: Any = None, advance: bool = True, **kwargs: Any) -> None:
        if self.dies_at is not None and len(self.sent) >= self.dies_at:
            raise OSError("the broker is gone")
        if self.fails_at is not None and (error := self.fails_at(entry.message)) is not None:
            raise error
        self.sent.append((datetime.now(timezone.utc), entry.message))


class Beat:
    """One of our Beats, run for as long as a test wants."""

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.scheduler = NotingScheduler()
        self.told = 0

    def run(self, span: timedelta) -> list[tuple[datetime, str]]:
        """Let time pass, and return what was sent: when, and the schedule's name."""
        until = datetime.now(timezone.utc) + span
        while (now := datetime.now(timezone.utc)) < until:
            if self.step() == 0:
                continue
            ahead = [
                self.scheduler.roster.agenda.next_at(),
                self.scheduler.reloader.pause_ends,
                now + timedelta(minutes=1),
            ]
            self.clock.move_to(min(max(min(at for at in ahead if at), now + timedelta(milliseconds=1)), until))
        return [(at, message.name) for at, message in self.news()]

    def step(self) -> float:
        """Look for changes, and do what is due."""
        self.scheduler.reloader.reset()
        return self.scheduler.step()

    def settle(self) -> None:
        """Step until nothing is due."""
        while self.step() == 0:
            pass

    def tried_again(self) -> None:
        """Let the time be over after which what was refused or locked is tried again, and settle."""
        for waiting in (Waiting.REFUSED, Waiting.ROW_LOCKED):
            self.scheduler._dispatch.outbox.hurry(waiting)
        self.settle()

    def step_until(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        """Step until something has happened; a busy machine may take long, and only then the time is needed."""
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, "it did not happen in time"
            if self.step() > 0:
                time.sleep(0.02)

    def news(self) -> list[tuple[datetime, Message]]:
        """Return what was sent since the last time."""
        told, self.told = self.told, len(self.scheduler.sent)
        return self.scheduler.sent[told:]


def row(using: str, name: str) -> PeriodicTask:
    """Return a row as it is now."""
    return PeriodicTask.objects.using(using).get(name=name)


@contextmanager
def locked(using: str, row_id: int) -> Iterator[None]:
    """Hold the lock of a row in a transaction of somebody else's."""
    other = connections.create_connection(using)
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute(f"SELECT id FROM django_celery_beat_periodictask WHERE id = {row_id} FOR UPDATE")
            yield
        other.rollback()
    finally:
        other.close()


__all__ = ["Beat", "NotingScheduler", "OperationalError", "locked", "row"]
