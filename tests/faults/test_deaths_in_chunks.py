"""A Beat that is killed while its messages are on their way: the next one sends what may be missing, under its id."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from kombu import Connection

from tests.faults.arena import PATIENCE, Arena, Proxy

COUNT = 250
AT_MOST_ONCE = {"s003", "s120", "s249"}
#: Seconds from one tick to the next.
EVERY = 2
#: After which byte of a tick a Beat is killed; first of a tick whose messages Celery builds, then of a later one.
KILLS = [(0, 2_000), (0, 150_000), (1, 500), (1, 60_000)]


@dataclass
class Line:
    """A proxy between Beats and a broker, and the queue behind it."""

    kind: str
    queue: str = field(default_factory=lambda: f"schedsync-{uuid.uuid4()}")
    arrived: list[tuple[str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.url = settings.BROKERS[self.kind]
        parts = urlsplit(self.url)
        self.proxy = Proxy(lambda: socket.create_connection((parts.hostname or "", parts.port or 0)))
        self.beat_url = self.url.replace(f":{parts.port}/", f":{self.proxy.port}/")

    def read(self) -> int:
        """Take out the messages, and return how many there have been in all."""
        with Connection(self.url) as connection:
            channel = connection.channel()
            connection.SimpleQueue(self.queue).close()
            while (message := channel.basic_get(self.queue, no_ack=True)) is not None:
                headers = message.headers
                self.arrived.append((headers["periodic_task_name"], headers["schedsync_tick"], headers["id"]))
        return len(self.arrived)

    def kill_at(self, process: subprocess.Popen[bytes], count: int) -> None:
        """Let a process die when the broker has got this number of bytes more."""
        self.proxy.instead = lambda *_: os.kill(process.pid, signal.SIGKILL)
        self.proxy.cut_in = count


@pytest.fixture(params=["redis", "rabbitmq"])
def line(request: pytest.FixtureRequest) -> Iterator[Line]:
    if request.param not in settings.BROKERS or "postgresql" not in settings.DATABASES:
        pytest.skip(f"no {request.param}, or no PostgreSQL, on this machine")
    made = Line(request.param)
    yield made
    made.proxy.close()
    with Connection(made.url) as connection, contextlib.suppress(*connection.channel_errors):
        connection.channel().queue_delete(made.queue)


def schedules(queue: str) -> str:
    lines = []
    for number in range(COUNT):
        name = f"s{number:03}"
        delivery = "at_most_once" if name in AT_MOST_ONCE else "at_least_once"
        common = f"every: {EVERY}s, missed_runs: all, queue: {queue}, delivery: {delivery}"
        lines.append(f"  {name}: {{task: shop.tasks.heartbeat, {common}}}\n")
    return "".join(lines)


def test_a_beat_that_is_killed_in_the_middle_of_a_chunk_loses_no_tick(
    everywhere_migrated: list[Arena], line: Line
) -> None:
    (arena,) = [arena for arena in everywhere_migrated if arena.alias == "postgresql"]
    arena.clear()
    arena.apply(schedules(line.queue))
    for ticks, at in KILLS:
        with arena.beat(SHOP_BROKER=line.beat_url, FAULTS_SENT="") as beat:
            before = line.read()
            arena.wait_until(lambda before=before, ticks=ticks: line.read() >= before + ticks * COUNT)  # type: ignore[misc]
            line.kill_at(beat, at)
            assert beat.wait(PATIENCE) == -signal.SIGKILL
    line.proxy.instead = None
    with arena.beat(SHOP_BROKER=line.beat_url, FAULTS_SENT="") as beat:
        before = line.read()
        arena.wait_until(lambda: line.read() >= before + 2 * COUNT)
        beat.terminate()
        assert beat.wait(PATIENCE) == 0
    line.read()
    check(line, arena)


def check(line: Line, arena: Arena) -> None:
    """Account for every tick: the runs in the database, and the messages."""
    counts = Counter((name, tick) for name, tick, _ in line.arrived)
    ids: dict[tuple[str, str], set[str]] = defaultdict(set)
    ticks: dict[str, list[datetime]] = defaultdict(list)
    for name, tick, id_ in line.arrived:
        ids[name, tick].add(id_)
    for name, tick in counts:
        ticks[name].append(datetime.fromisoformat(tick.replace("Z", "+00:00")))
    assert {key: several for key, several in ids.items() if len(several) > 1} == {}
    assert {key: count for key, count in counts.items() if count > 1 and key[0] in AT_MOST_ONCE} == {}
    gaps = {
        name: {(later - earlier).total_seconds() for earlier, later in pairwise(sorted(instants))}
        for name, instants in ticks.items()
        if name not in AT_MOST_ONCE
    }
    assert len(gaps) == COUNT - len(AT_MOST_ONCE)
    assert {name: seconds for name, seconds in gaps.items() if seconds != {EVERY}} == {}, arena.logs()
    assert arena.sql("SELECT COUNT(*) FROM schedsync_claim WHERE NOT confirmed") == [(0,)]
    runs = {name: (count, last) for name, count, last in arena.sql(
        "SELECT name, total_run_count, last_run_at FROM django_celery_beat_periodictask"
    )}  # fmt: skip
    for name, instants in ticks.items():
        if name not in AT_MOST_ONCE:
            assert runs[name] == (len(instants), max(instants))
