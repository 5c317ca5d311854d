"""The shop's Celery app, which writes down what was sent, and dies or jumps in time where a test wants it to.

FAULTS_SENT is the file that everything sent is appended to; without one, nothing of Celery is hooked. FAULTS_DIE, such
as ``after claim:3``, is where and at which time the process kills itself; its clock begins at FAULTS_NOW, and at
SIGUSR1 it moves by the seconds that stand in the file FAULTS_CLOCK.
"""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import django
import time_machine
from celery.signals import after_task_publish
from shop.celery import app

django.setup()

from schedsync.beat.claims import Claims  # noqa: E402

FILE = os.environ["FAULTS_SENT"]
SENT = os.open(FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT) if FILE else -1
WHERE, _, COUNT = os.environ.get("FAULTS_DIE", "").partition(":")
_seen: dict[str, int] = {}


def reached(place: str) -> None:
    """Kill this process, as the kernel would, where the test wants it."""
    _seen[place] = _seen.get(place, 0) + 1
    if place == WHERE and _seen[place] == int(COUNT):
        os.kill(os.getpid(), signal.SIGKILL)


def write_down(headers: Any = None, body: Any = None, **_: Any) -> None:
    line = {
        "name": headers.get("periodic_task_name"), "tick": headers.get("schedsync_tick"), "id": headers["id"],
        "kwargs": headers["kwargsrepr"], "pid": os.getpid(), "at": time.time(),
    }  # fmt: skip
    os.write(SENT, (json.dumps(line) + "\n").encode())
    reached("after send")


if FILE:
    after_task_publish.connect(write_down)


def dying(name: str, before: str, after: str) -> None:
    original = getattr(Claims, name)

    def call(*args: Any) -> Any:
        reached(before)
        result = original(*args)
        reached(after)
        return result

    setattr(Claims, name, call)


if WHERE:
    dying("claim", "before claim", "after claim")
    dying("confirm", "before confirm", "after confirm")

if {"FAULTS_CLOCK", "FAULTS_NOW"} & os.environ.keys():
    traveller = time_machine.travel(os.environ.get("FAULTS_NOW") or time.time(), tick=True)
    clock = traveller.start()

    def jump(*_: Any) -> None:
        clock.shift(float(Path(os.environ["FAULTS_CLOCK"]).read_text()))

    signal.signal(signal.SIGUSR1, jump)

__all__ = ["app"]
