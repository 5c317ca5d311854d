"""Stock Beat on a frozen clock: the real DatabaseScheduler, ticked by hand, that notes what it would send."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from celery import Celery
from django_celery_beat.models import PeriodicTasks
from django_celery_beat.schedulers import DatabaseScheduler

app = Celery("tests", broker="memory://", set_as_current=False)
app.conf.update(timezone="UTC", enable_utc=True, result_expires=None)


class NotingScheduler(DatabaseScheduler):
    """Everything is Beat's own but for the last step: what is due is noted instead of sent."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.sent: list[tuple[datetime, str]] = []
        super().__init__(*args, **kwargs)

    def apply_async(self, entry: Any, producer: Any = None, advance: bool = True, **kwargs: Any) -> None:
        self.sent.append((datetime.now(timezone.utc), entry.name))

    @property
    def producer(self) -> None:  # type: ignore[override]
        return None


class Beat:
    """A Beat that has started, and is run for as long as a test wants."""

    def __init__(self, clock: Any, step: float = 5) -> None:
        self.clock = clock
        self.scheduler = NotingScheduler(app=app, max_interval=step)
        self.scheduler._finalize.cancel()
        # A Beat that has just started takes the first change it sees for where it starts from.
        PeriodicTasks.update_changed()
        self.scheduler.tick()
        self.told = 0

    def run(self, span: timedelta) -> list[tuple[datetime, str]]:
        """Let time pass, and return what was sent since the last time."""
        until = datetime.now(timezone.utc) + span
        while (now := datetime.now(timezone.utc)) < until:
            sent = len(self.scheduler.sent)
            delay = self.scheduler.tick()
            if len(self.scheduler.sent) == sent:
                # Beat wakes 10 ms early and then asks to be called at once; a frozen clock would stand still.
                pause = min(max(delay or 0, 0.02), self.scheduler.max_interval)
                self.clock.move_to(now + timedelta(seconds=pause))
        told, self.told = self.told, len(self.scheduler.sent)
        return self.scheduler.sent[told:]

    def write_back(self) -> None:
        """Save what Beat still holds of its runs, whole rows, as it does every three minutes."""
        self.scheduler.sync()


def minutes(sent: list[tuple[datetime, str]], name: str | None = None) -> list[str]:
    """Return the times of what was sent, to the minute."""
    return [f"{at:%d %H:%M}" for at, sender in sent if name in (None, sender)]
