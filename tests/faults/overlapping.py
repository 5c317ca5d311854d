"""The shop's Celery app with tasks that take long or end badly; it tracks their runs, and writes down when they ran.

OVERLAP_FILE is the file to which a line is appended when a task begins, and when it ends.
"""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import django
from shop.celery import app

django.setup()

from schedsync.worker import track_runs  # noqa: E402

track_runs(app)


def say(event: str, task: Any) -> None:
    line = {"event": event, "id": task.request.id, "pid": os.getpid(), "parent": os.getppid(), "at": time.time()}
    with Path(os.environ["OVERLAP_FILE"]).open("a") as file:
        file.write(json.dumps(line) + "\n")


@app.task(bind=True, name="work")
def work(self: Any, seconds: float) -> None:
    say("begin", self)
    time.sleep(seconds)
    say("end", self)


@app.task(bind=True, name="retries", max_retries=1)
def retries(self: Any) -> None:
    time.sleep(0.5)
    if not self.request.retries:
        raise self.retry(countdown=1)


@app.task(bind=True, name="fails")
def fails(self: Any) -> None:
    time.sleep(0.5)
    raise ValueError("no")


@app.task(bind=True, name="dies")
def dies(self: Any) -> None:
    time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGKILL)


__all__ = ["app"]
