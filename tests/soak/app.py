"""The shop's Celery app, whose workers write each run down in the file SOAK_RUNS; nothing of Beat is hooked."""

import json
import os
import time
from typing import Any

from celery.signals import task_prerun
from shop.celery import app

RUNS = os.open(os.environ["SOAK_RUNS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


@task_prerun.connect
def write_down(task_id: str, task: Any, **_: Any) -> None:
    request = task.request
    line = {"id": task_id, "name": request.periodic_task_name, "tick": request.schedsync_tick, "at": time.time()}
    os.write(RUNS, (json.dumps(line) + "\n").encode())


__all__ = ["app"]
