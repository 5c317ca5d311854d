"""Measures everything about Beat, draws the plots, and returns the part of the page."""

from __future__ import annotations

import sys
from typing import TypeVar

from tests.benchmarks.beat.dispatch import dispatch, stock_dispatch
from tests.benchmarks.beat.elsewhere import measured_elsewhere
from tests.benchmarks.beat.lateness import our_lateness, stock_lateness
from tests.benchmarks.beat.loading import large_loading, loadings, repeats
from tests.benchmarks.beat.page import written
from tests.benchmarks.beat.plots import draw
from tests.benchmarks.beat.processes import OURS, STOCK, failovers, pickups
from tests.benchmarks.beat.results import Late, OfSize, Results
from tests.benchmarks.beat.scale import SIZES, Scale
from tests.benchmarks.beat.stage import in_child
from tests.benchmarks.beat.tables import fill

_Result = TypeVar("_Result")


def section(sizes: tuple[int, ...] = SIZES) -> list[str]:
    """Measure everything, and return the lines of the page's part about Beat."""
    scale = Scale.of(sizes)
    # First, because it needs most of the machine's servers.
    elsewhere = measured_elsewhere(scale.middle)
    results = Results(
        scale,
        {size: _of_size(size) for size in scale.sizes},
        large_loading(scale.large) if scale.large else None,
        elsewhere,
        {size: _late(size, scale) for size in scale.late_sizes},
        _told("one instant", our_lateness(scale.late_size, scale.seconds, one_instant=True)),
        {
            "ours": pickups(OURS, scale.pickups, scale.middle),
            "stock": pickups(STOCK, scale.stock_pickups, scale.middle),
        },
        failovers(scale.failovers),
    )
    draw(results)
    return written(results)


def _of_size(size: int) -> OfSize:
    fill(size)
    theirs, mine = loadings(size)
    slow = in_child(stock_dispatch)
    return _told(f"{size:>7,}", OfSize(theirs, mine, slow, dispatch(size, min(repeats(size), 3))))


def _late(size: int, scale: Scale) -> Late:
    seconds = scale.seconds if size == scale.late_size else scale.short_seconds
    return _told(f"{size:>7,} each second", Late(seconds, stock_lateness(size, seconds), our_lateness(size, seconds)))


def _told(name: str, result: _Result) -> _Result:
    """Print a result while the benchmark runs, and return it."""
    print(f"{name} {result}", file=sys.stderr, flush=True)
    return result
