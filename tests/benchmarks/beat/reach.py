"""The goals of Beat, and whether a run reached them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tests.benchmarks.beat.dispatch import Dispatch
from tests.benchmarks.beat.results import Results

#: Seconds within which 99 of 100 messages are to be in the broker, and all.
_MOST, _ALL = 0.05, 0.25
#: How many times as fast as the bare loop our Beat is to be, by the name in ``Results.elsewhere``.
_ELSEWHERE = {
    "PostgreSQL and Redis, with Sentry and OpenTelemetry": 1.2,
    "PostgreSQL and RabbitMQ, confirmed": 2.0,
    "PostgreSQL and Redis, with both, and Sentry's check-ins": None,
    "MariaDB and Redis": None,
    "SQLite and Redis": None,
}


class Goal(NamedTuple):
    """A goal in words, and what was measured; ``is_reached`` is None if there is no goal, or no figure."""

    what: str
    wanted: str
    measured: str
    is_reached: bool | None


def reach(results: Results) -> Iterator[Goal]:
    """Return the goals in the order of the page."""
    yield from _dispatch(results)
    yield from _lateness(results)
    yield _steady(results)
    yield from _large(results)


def _dispatch(results: Results) -> Iterator[Goal]:
    for size, of in results.sizes.items():
        first, later = of.dispatch.first.share, of.dispatch.later.share
        yield _faster(f"later messages, {size:,} due, PostgreSQL and Redis, no hooks", later, 5.0)
        yield _faster(f"first messages, {size:,} due, PostgreSQL and Redis, no hooks", first, None)
    for name, wanted in _ELSEWHERE.items():
        what, result = f"later messages, {results.scale.middle:,} due, {name}", results.elsewhere[name]
        if isinstance(result, Dispatch):
            yield _faster(what, result.later.share, wanted)
        else:
            yield Goal(what, _times(wanted), "not measured", None)


def _times(wanted: float | None) -> str:
    return "" if wanted is None else f"≥ {wanted:g} × the bare loop"


def _faster(what: str, share: float, wanted: float | None) -> Goal:
    return Goal(what, _times(wanted), f"{share:.2f} ×", None if wanted is None else share >= wanted)


def _lateness(results: Results) -> Iterator[Goal]:
    size = results.scale.late_size
    seconds, _, late = results.late[size]
    most, longest = f"{late.p99 * 1e3:.0f} ms", f"{late.longest * 1e3:.0f} ms"
    what = f"{size:,} schedules of one second, spread, {seconds} s"
    yield Goal(f"{what}: 99 % in the broker", "within 50 ms", most, late.p99 <= _MOST)
    yield Goal(f"{what}: all in the broker", "within 250 ms", longest, late.longest <= _ALL)
    none = not (late.lost or late.sent_twice)
    yield Goal(f"{what}: lost, sent twice", "none", f"{late.lost:,}, {late.sent_twice:,}", none)
    longest = results.instant.longest
    reached = longest <= _ALL and not (results.instant.lost or results.instant.sent_twice)
    yield Goal(
        f"{size:,} schedules at one instant: all in the broker", "within 250 ms", f"{longest * 1e3:.0f} ms", reached
    )


def _steady(results: Results) -> Goal:
    rates = {size: of.dispatch.later.rate for size, of in results.sizes.items()}
    few, many = min(rates), max(rates)
    share = rates[many] / rates[few]
    # A rate differs by some per cent from run to run.
    return Goal(f"the rate at {many:,} due", f"that at {few:,}", f"{share:.0%}", share >= 0.95)


def _large(results: Results) -> Iterator[Goal]:
    if (large := results.large) is None:
        return
    what = f"{results.scale.large:,} schedules"
    yield Goal(f"{what}: first load", "≤ 15 s", f"{large.first:.1f} s", large.first <= 15)
    yield Goal(f"{what}: memory", "≤ 600 MB", f"{large.memory / 1e6:.0f} MB", large.memory <= 600e6)
    yield Goal(f"{what}: reload of one change", "≤ 0.5 s", f"{large.reload:.2f} s", large.reload <= 0.5)
