"""A process of its own for each measurement, the schedulers in it, and its times and memory."""

from __future__ import annotations

import gc
import json
import os
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def app(**transport_options: Any) -> Any:
    from celery import Celery

    made = Celery("bench", broker=os.environ["BENCH_BROKER"], set_as_current=False)
    made.conf.update(timezone="UTC", enable_utc=True, result_expires=None, task_ignore_result=True)
    made.conf.broker_transport_options = transport_options
    return made


def stock() -> Any:
    from django_celery_beat.schedulers import DatabaseScheduler

    return DatabaseScheduler(app=app(), lazy=True)


def ours() -> Any:
    from schedsync.beat import Scheduler

    return Scheduler(app=app(), lazy=True)


def in_child(work: Callable[[], dict[str, float]]) -> dict[str, float]:
    """Run a measurement in a fork; it returns its figures."""
    from django.db import connections

    connections.close_all()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write, json.dumps(work()).encode())
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    os.close(write)
    _, status = os.waitpid(child, 0)
    with os.fdopen(read) as answer:
        if status:
            raise RuntimeError("a measurement has failed")
        figures: dict[str, float] = json.loads(answer.read())
        return figures


def resident() -> int:
    """Return this process's resident memory, in bytes."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


@dataclass
class Spent:
    """The seconds that pieces of work took, by the clock and of this process's CPU."""

    wall: float = 0.0
    cpu: float = 0.0

    def run(self, work: Callable[[], Any]) -> None:
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        self.wall += time.perf_counter() - wall
        self.cpu += time.process_time() - cpu
