"""A Beat, a worker and a database of a broker in one process, where a tool can watch them; see ``tools``."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import time_machine
from celery import Celery
from celery.contrib.testing.worker import start_worker
from django.core.management import call_command
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask
from kombu.transport.memory import Channel

NOW = datetime(2026, 11, 23, 10, 0, 30, tzinfo=timezone.utc)
#: A database of Redis, where messages are sent in chunks, or a broker in memory.
BROKER = os.environ.get("ECOSYSTEM_BROKER", "memory://")
#: How the headers that our Beat adds begin.
OURS = "schedsync_"


class Stage:
    """One tool, one scheduler class. ``sent`` are the messages in the broker, as the transport has them.

    ``is_left_out`` says whether our Beat would prebuild later messages, and so leave out the steps that a tool hooks.
    """

    is_left_out = False

    def __init__(self, scheduler: type[Any], app: Celery | None = None, migrate: Sequence[str] = ("migrate",)) -> None:
        self.app = app or Celery("ecosystem")
        self.app.conf.update(
            broker_url=BROKER,
            timezone="UTC",
            enable_utc=True,
            result_expires=None,
            worker_hijack_root_logger=False,
        )
        self.scheduler_class = scheduler
        self.ran: list[dict[str, Any]] = []

        @self.app.task(name="report", bind=True)
        def report(task: Any, *args: Any, **kwargs: Any) -> str:
            self.ran.append(self.seen(task))
            return "done"

        call_command(*migrate, verbosity=0)

    def seen(self, task: Any) -> dict[str, Any]:
        """Return what a task sees of its own run; a tool may add to it."""
        return {"periodic_task_name": task.request.periodic_task_name}

    def schedules(self, **columns: Any) -> None:
        """Write three schedules that are due once."""
        crontab = CrontabSchedule.objects.create(minute="*/15", timezone="Europe/Berlin")
        interval = IntervalSchedule.objects.create(every=2, period="hours")
        common: dict[str, Any] = {"task": "report", "last_run_at": NOW - timedelta(minutes=190), **columns}
        PeriodicTask.objects.create(name="quarter", crontab=crontab, kwargs='{"kind": "full"}', **common)
        PeriodicTask.objects.create(name="hours", interval=interval, args="[1]", queue="reports", **common)
        PeriodicTask.objects.create(
            name="tagged", crontab=crontab, priority=3, **{"headers": '{"tag": "blue"}', **common}
        )

    def beat(self, messages: int = 3, passes: int = 12) -> None:
        """Let Beat run until that number of messages is sent, and some passes more."""
        with time_machine.travel(NOW, tick=True):
            scheduler = self.scheduler_class(app=self.app)
            scheduler._finalize.cancel()
            for _ in range(passes):
                if len(self.sent) >= messages:
                    break
                scheduler.tick()
            scheduler.tick()
            if (sender := getattr(scheduler, "sender", None)) is not None:
                Stage.is_left_out = sender._prebuilt._learns
            scheduler.close()

    @property
    def sent(self) -> list[dict[str, Any]]:
        return [json.loads(message) if isinstance(message, str) else message for message in self._texts()]

    def _texts(self) -> list[Any]:
        if BROKER == "memory://":
            queues = [Channel.queues[name].queue for name in ("celery", "reports") if name in Channel.queues]
            return [message for queue in queues for message in queue]
        import redis

        with redis.Redis.from_url(BROKER, decode_responses=True) as client:
            # A list for each queue, and one for each priority of it.
            keys = sorted(key for name in ("celery", "reports") for key in client.scan_iter(f"{name}*"))
            return [text for key in keys if client.type(key) == "list" for text in client.lrange(key, 0, -1)]

    def headers(self) -> dict[str, dict[str, Any]]:
        """Return the headers of each message by its schedule, without those that our Beat adds."""
        return {
            message["headers"]["periodic_task_name"]: {
                name: value for name, value in message["headers"].items() if not name.startswith(OURS)
            }
            for message in self.sent
        }

    def names(self) -> list[str]:
        """Return the schedules of the messages; one that was sent twice is there twice."""
        return sorted(message["headers"]["periodic_task_name"] for message in self.sent)

    @contextmanager
    def worker(self, runs: int = 3) -> Iterator[None]:
        """Run a worker until that number of tasks has run."""
        self.app.conf.task_queues = None
        self.app.amqp.queues.select_add("celery")
        self.app.amqp.queues.select_add("reports")
        with start_worker(self.app, pool="solo", perform_ping_check=False, shutdown_timeout=60, loglevel="ERROR"):
            until = time.monotonic() + 60
            while len(self.ran) < runs:
                assert time.monotonic() < until, f"{len(self.ran)} tasks ran"
                time.sleep(0.05)
            yield
