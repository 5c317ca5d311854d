"""All that one run has measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tests.benchmarks.beat.dispatch import Dispatch
from tests.benchmarks.beat.lateness import Lateness
from tests.benchmarks.beat.loading import Loading
from tests.benchmarks.beat.scale import Scale


class OfSize(NamedTuple):
    """The figures of a number of schedules: stock's load, ours, stock's dispatch, and ours with the bare loop's."""

    stock: Loading
    ours: Loading
    stock_dispatch: Mapping[str, float]
    dispatch: Dispatch


class Late(NamedTuple):
    """How late the messages of a number of schedules were that run each second, during some seconds."""

    seconds: int
    stock: Lateness
    ours: Lateness


@dataclass(frozen=True)
class Results:
    """All figures. A text in ``elsewhere`` says why it was not measured. Pickups and failovers are sorted seconds."""

    scale: Scale
    sizes: Mapping[int, OfSize]
    large: Loading | None
    elsewhere: Mapping[str, Dispatch | str]
    late: Mapping[int, Late]
    instant: Lateness
    pickups: Mapping[str, Sequence[float]]
    failovers: Mapping[str, Sequence[float]]
