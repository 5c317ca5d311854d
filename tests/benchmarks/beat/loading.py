"""The first load, the reload after one change, and the memory of the loaded schedules."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tests.benchmarks.beat.stage import in_child, ours, resident, stock, timed
from tests.benchmarks.beat.tables import change_one, fill, set_nothing_due, wait_for_minute


class Loading(NamedTuple):
    """Seconds, and bytes."""

    first: float
    reload: float
    memory: float


def repeats(size: int) -> int:
    return {1_000: 9, 10_000: 3}.get(size, 1)


def _stock(size: int) -> dict[str, float]:
    # Nothing is due, because the measured load must not include sending.
    set_nothing_due(size)
    scheduler = stock()
    before = resident()
    first = timed(scheduler.tick)
    grown = resident() - before
    scheduler.tick()
    change_one()
    return {"first": first, "memory": grown, "reload": timed(scheduler.tick)}


def _ours(prepare: Callable[[], None]) -> dict[str, float]:
    prepare()
    scheduler = ours()
    before = resident()
    first = timed(scheduler.step)
    grown = resident() - before
    # Send what has become due since.
    for _ in range(100):
        if scheduler.step() > 0:
            break
    times = []
    for _ in range(5):
        change_one()
        scheduler.reloader.reset()
        times.append(timed(scheduler.step))
    scheduler.close()
    return {"first": first, "memory": grown, "reload": min(times)}


def _best(runs: list[dict[str, float]]) -> Loading:
    return Loading(*(min(run[name] for run in runs) for name in Loading._fields))


def large_loading(size: int) -> Loading:
    """Fill the tables, and load them by ours alone: one run."""

    def prepare() -> None:
        wait_for_minute()
        fill(size)

    return _best([in_child(lambda: _ours(prepare))])


def loadings(size: int) -> tuple[Loading, Loading]:
    """Return the smallest of each figure, stock's and ours, measured in turns."""
    theirs, mine = [], []
    for _ in range(repeats(size)):
        theirs.append(in_child(lambda: _stock(size)))
        mine.append(in_child(lambda: _ours(lambda: set_nothing_due(size))))
    return _best(theirs), _best(mine)
