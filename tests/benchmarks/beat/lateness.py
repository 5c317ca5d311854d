"""Measures how late the messages of schedules that run each second reach the broker, with a Beat as a process."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.beat.monitor import Arrival, arrivals, monitored
from tests.benchmarks.beat.processes import OURS, STOCK, beat
from tests.benchmarks.beat.queues import queues
from tests.benchmarks.beat.tables import fill, phases, spread

#: Microseconds of a second.
_SECOND = 1_000_000
#: A Beat is measured from the first full second that begins these seconds after its first message.
_WARM_UP = 2
#: After the measured seconds, late messages may still arrive for these seconds.
_GRACE = 3


class Lateness(NamedTuple):
    """Seconds that messages were late, and the number of ticks that were expected, lost, and sent twice."""

    expected: int
    lost: int
    sent_twice: int
    median: float
    p99: float
    longest: float


def our_lateness(size: int, duration: int, *, one_instant: bool = False) -> Lateness:
    fill(size, every_second=True)
    spread(size, one_instant=one_instant)
    due = _microseconds()
    return of_ticks(_sent(OURS, duration), due, duration)


def stock_lateness(size: int, duration: int) -> Lateness:
    fill(size, every_second=True)
    spread(size)
    return of_gaps(_sent(STOCK, duration), size, duration)


def _microseconds() -> dict[str, int]:
    """Return an instant at which each schedule is due, in microseconds since 1970."""
    return {name: round(at.timestamp() * _SECOND) for name, at in phases().items()}


def _sent(scheduler: str, duration: int) -> list[Arrival]:
    """Let a Beat run, and return all messages that reached the broker."""
    with tempfile.TemporaryDirectory() as name, queues() as (queue, _):
        root = Path(name)
        file = root / "monitor"
        with (
            monitored(os.environ["BENCH_BROKER"], file),
            beat(scheduler, root, "shop.celery") as process,
        ):
            until = time.monotonic() + 120
            while not len(queue):
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError("".join(log.read_text() for log in root.glob("beat-*.log")))
                time.sleep(0.1)
            time.sleep(_WARM_UP + 1 + duration + _GRACE)
        queue.clear()
        return list(arrivals(file))


def _begin(sent: Sequence[Arrival]) -> int:
    """Return the second since 1970 with which the measurement begins."""
    return math.ceil(sent[0].at) + _WARM_UP


def of_ticks(sent: Sequence[Arrival], phases: Mapping[str, int], duration: int) -> Lateness:
    """Return how late ticks were; each schedule is due each second, counted from its phase (microseconds)."""
    begin = _begin(sent) * _SECOND
    expected = {
        (name, phase + second * _SECOND)
        for name, phase in phases.items()
        for first in [-((phase - begin) // _SECOND)]
        for second in range(first, first + duration)
    }
    arrived: dict[tuple[str, int], float] = {}
    times: Counter[tuple[str, int]] = Counter()
    for message in sent:
        assert message.tick is not None
        key = message.name, round(message.tick * _SECOND)
        times[key] += 1
        arrived.setdefault(key, message.at - message.tick)
    late = [arrived[key] for key in expected & arrived.keys()]
    sent_twice = sum(times[key] > 1 for key in expected)
    return _lateness(late, len(expected), len(expected) - len(late), sent_twice)


def of_gaps(sent: Sequence[Arrival], size: int, duration: int) -> Lateness:
    """Return how late messages without ticks were: the time beyond a second since the schedule's previous message."""
    begin = _begin(sent)
    before: dict[str, float] = {}
    late: list[float] = []
    for message in sent:
        if begin <= message.at < begin + duration:
            late.append(max(0.0, message.at - before.get(message.name, begin) - 1))
        before[message.name] = message.at
    return _lateness(late, size * duration, max(0, size * duration - len(late)), 0)


def _lateness(late: Iterable[float], expected: int, lost: int, sent_twice: int) -> Lateness:
    ordered = sorted(late) or [math.inf]
    median, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.99))
    return Lateness(expected, lost, sent_twice, median, p99, ordered[-1])
