"""The rate at which due schedules are claimed, sent and confirmed, beside a bare loop."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from tests.benchmarks.beat.queues import Queue, bare_sender, queues
from tests.benchmarks.beat.stage import Spent, in_child, ours, stock, timed
from tests.benchmarks.beat.tables import make_due, set_nothing_due

#: Stock sends only a few messages per second, so only this number of its due schedules is measured.
STOCK_SENDS = 40
#: After every 1,000 messages of our Beat, a bare loop sends 500.
BURST_EVERY, BURST = 1_000, 500
#: How often all schedules are sent again after their first time.
LATER = 3
#: After this number of steps that send nothing, a measurement has failed.
_PATIENCE = 1_000


class Turn(NamedTuple):
    """Messages per second, and CPU seconds of this process per message: of our Beat, and of the bare loop."""

    rate: float
    bare: float
    cpu: float
    bare_cpu: float

    @property
    def share(self) -> float:
        """How many times as fast as the bare loop."""
        return self.rate / self.bare

    @property
    def cpu_share(self) -> float:
        """How many times as much CPU time the bare loop needs per message."""
        return self.bare_cpu / self.cpu


class Dispatch(NamedTuple):
    """The first messages of all schedules, the later ones, and the seconds of the write-back of one run."""

    first: Turn
    later: Turn
    write_back: float


def _turn(scheduler: Any, size: int, bare: Any, ours_queue: Queue, bare_queue: Queue) -> Turn:
    """Send all, with bursts of the bare loop in between: the speed of a shared machine changes within seconds."""
    make_due()
    scheduler.reloader.load()
    scheduler.roster.refresh()
    mine, plain, bursts = Spent(), Spent(), 0
    idle = before = 0
    while (sent := len(ours_queue)) < size:
        idle, before = (0 if sent > before else idle + 1), sent
        if idle > _PATIENCE:
            raise RuntimeError(f"only {sent} of {size} are sent")
        mine.run(scheduler.step)
        if bursts * BURST_EVERY <= sent:
            bursts += 1
            plain.run(lambda: bare(BURST))
            bare_queue.clear()
    ours_queue.clear()
    count = bursts * BURST
    return Turn(sent / mine.wall, count / plain.wall, mine.cpu / sent, plain.cpu / count)


def our_dispatch(size: int, **transport_options: Any) -> dict[str, Any]:
    """Send all schedules once, and then ``LATER`` times again; the options are those of the bare loop."""
    set_nothing_due(size)
    scheduler = ours()
    spent = 0.0
    confirm = scheduler._claims.confirm

    def confirming(*args: Any) -> Any:
        nonlocal spent
        began = time.perf_counter()
        result = confirm(*args)
        spent += time.perf_counter() - began
        return result

    # Load and connect first: the figures of stock and of the bare loop do not include that either.
    scheduler.step()
    scheduler.sender.ready()
    scheduler._claims.confirm = confirming
    with queues() as pair, bare_sender(**transport_options) as bare:
        first, *later = (_turn(scheduler, size, bare, *pair) for _ in range(1 + LATER))
    scheduler.close()
    return {"first": first, "later": later, "write_back": spent / (size * (1 + LATER))}


def best(runs: list[dict[str, Any]]) -> Dispatch:
    """Return the best of each figure, for the bare loop as for ours."""
    first = [Turn(*run["first"]) for run in runs]
    later = [Turn(*turn) for run in runs for turn in run["later"]]
    return Dispatch(_best(first), _best(later), min(run["write_back"] for run in runs))


def _best(turns: list[Turn]) -> Turn:
    rates, bare_rates, times, bare_times = zip(*turns, strict=True)
    return Turn(max(rates), max(bare_rates), min(times), min(bare_times))


def dispatch(size: int, repeats: int, **transport_options: Any) -> Dispatch:
    """Return the best of some runs, each in a process of its own."""
    return best([in_child(lambda: our_dispatch(size, **transport_options)) for _ in range(repeats)])


def stock_dispatch() -> dict[str, float]:
    make_due()
    scheduler = stock()
    scheduler.setup_schedule()
    scheduler._last_sync = time.monotonic()
    scheduler.tick()
    spent = Spent()
    spent.run(lambda: [scheduler.tick() for _ in range(STOCK_SENDS)])
    dirty = list(scheduler._dirty)[:STOCK_SENDS]
    entries = [scheduler._schedule[name] for name in dirty]
    back = timed(lambda: [entry.save() for entry in entries])
    return {
        "rate": STOCK_SENDS / spent.wall,
        "cpu": spent.cpu / STOCK_SENDS,
        "write_back": back / max(len(entries), 1),
    }
