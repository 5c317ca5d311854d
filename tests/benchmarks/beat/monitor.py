"""Reads when messages reached Redis, by its own clock, and which schedules they are of."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from tests.benchmarks.beat.queues import BEATS

_COPY = Path(__file__).with_name("copy_monitor.py")
_LINE = re.compile(r"\+(?P<at>[\d.]+) \[[^]]*\] \"LPUSH\" \"(?P<key>[^\"]*)\" (?P<values>.*)")
_VALUE = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Arrival:
    """A message in the broker; ``at`` is in seconds since 1970. A message of stock Beat has no tick."""

    name: str
    at: float
    tick: float | None
    id: str


@contextmanager
def monitored(broker: str, file: Path) -> Iterator[None]:
    """Write the commands that Redis executes during the block to a file.

    Redis adds the time to each command. A process with the lowest priority copies them to the file twenty times a
    second, without parsing them: this takes hardly any time from a Beat.
    """
    address = urlsplit(broker)
    command = [
        "nice",
        "-n",
        "19",
        sys.executable,
        "-I",
        str(_COPY),
        str(address.hostname),
        str(address.port),
        str(file),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def arrivals(file: Path) -> Iterator[Arrival]:
    """Return the messages of Beat's queue."""
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            found = _LINE.match(line)
            if found is not None and found["key"] == BEATS:
                for value in _VALUE.findall(found["values"]):
                    yield _arrival(float(found["at"]), json.loads(json.loads(f'"{value}"')))


def _arrival(at: float, message: dict[str, dict[str, str]]) -> Arrival:
    headers = message["headers"]
    tick = headers.get("schedsync_tick")
    return Arrival(headers["periodic_task_name"], at, None if tick is None else seconds(tick), headers["id"])


def seconds(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
