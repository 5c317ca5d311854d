"""Writes the part of docs/benchmarks.md about Beat from the figures of one run."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final

from tests.benchmarks.beat.dispatch import BURST, BURST_EVERY, LATER, STOCK_SENDS, Dispatch, Turn
from tests.benchmarks.beat.lateness import Lateness
from tests.benchmarks.beat.plots import plots
from tests.benchmarks.beat.reach import reach
from tests.benchmarks.beat.results import OfSize, Results

TITLE = "# Beat"


def written(results: Results) -> list[str]:
    """Return the lines of the part."""
    return [
        *_head(results), *_reach(results), *_pictures(results), *_sizes(results), *_large(results),
        *_elsewhere(results), *_lateness(results), *_processes(results), "",
    ]  # fmt: skip


def _head(results: Results) -> Iterator[str]:
    yield from (
        TITLE,
        "",
        f"{date.today()}: Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}.",
        "",
        "Stock `DatabaseScheduler`, our Beat and a bare loop are measured in the same run, with PostgreSQL, with Redis",
        "as the broker and with the lease in the database. All servers run on the same machine. Half of the schedules",
        "have crontabs, half have intervals, and each has its own arguments. Only the ratios are claims.",
        "",
        "- A *bare loop* calls `send_task` with a producer that is connected: no claim, nothing written back.",
        f"- *Ours* claims, sends and confirms all due schedules. After every {BURST_EVERY:,} of its messages the bare",
        f"  loop sends {BURST}, in the same process; each is timed alone.",
        "- *First messages*: all schedules are due for the first time after Beat's start, so that Celery builds the",
        f"  first message of each kind. *Later messages*: all schedules are due again, {LATER} times, as in the usual",
        "  work of a Beat. Each figure is the best of all turns, for ours and for the bare loop alike.",
        "- *CPU* is the CPU time of the sending process alone, without the servers.",
        f"- Stock's dispatch is measured over {STOCK_SENDS} sends, and its write-back over the same number of saves.",
        "- A load takes the whole tick in which it happens. It is the best of 9 runs at 1,000 schedules, the best of 3",
        "  at 10,000, and one run elsewhere. Stock and ours take turns.",
        "",
    )


def _reach(results: Results) -> Iterator[str]:
    yield from ("## Goals", "", "| what | goal | measured | reached |", "|---|---|---|---|")
    for goal in reach(results):
        reached = "" if goal.is_reached is None else "yes" if goal.is_reached else "no"
        yield f"| {goal.what} | {goal.wanted} | {goal.measured} | {reached} |"
    yield ""


def _pictures(results: Results) -> Iterator[str]:
    for plot in plots(results):
        yield from (f"![{plot.alt}](images/benchmark-{plot.name}.svg)", "")


#: Measured by hand on 2026-11-28, by a profile of the sending process at both sizes.
_PROFILE: Final = (
    "One process sends them, on one core, and Python's interpreter is its limit: a profile at both sizes gives,",
    "in µs of CPU for a message, at 1,000 and at 100,000 due: send 18 and 21, claim 7 and 10.5, decide what is",
    "due 5.5 and 8, confirm 7 and 8. The steps are the same; at 100,000 their data is no longer in the",
    "processor's cache. What comes on top at 100,000 alone is 4 for looking through all rows once more after such",
    "a long turn (at most 2% of Beat's time goes there), 2 for the journal, and 3 for Python's garbage collector.",
    "PostgreSQL is not the limit: the rate does not rise when each update stays in its page, on our table and on",
    "django-celery-beat's.",
)


def _sizes(results: Results) -> Iterator[str]:
    for size, of in results.sizes.items():
        yield from (f"## {size:,} enabled schedules", "", "| measurement | stock | ours | ours/stock |")
        yield "|---|---:|---:|---:|"
        yield from (_row(*row) for row in _compared(of))
        yield from ("", *_turn_head(), _turn("first", of.dispatch.first), _turn("later", of.dispatch.later), "")
    rates = {size: of.dispatch.later.rate for size, of in results.sizes.items()}
    few, many = min(rates), max(rates)
    yield f"The rate of later messages at {many:,} due is {rates[many] / rates[few]:.0%} of the rate at {few:,} due."
    yield from ("", *_PROFILE, "")


def _compared(of: OfSize) -> Iterator[tuple[str, float, float]]:
    stock, ours, slow, sending = of
    yield "first load, s", stock.first, ours.first
    yield "reload after one change, s", stock.reload, ours.reload
    yield "memory of the loaded schedules, MB", stock.memory / 1e6, ours.memory / 1e6
    yield "dispatch, later messages per second", slow["rate"], sending.later.rate
    yield "CPU for each message, µs", slow["cpu"] * 1e6, sending.later.cpu * 1e6
    yield "write-back per run, ms", slow["write_back"] * 1e3, sending.write_back * 1e3


def _row(name: str, theirs: float, ours: float) -> str:
    return f"| {name} | {_figure(theirs)} | {_figure(ours)} | {_ratio(ours / theirs)} |"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _ratio(value: float) -> str:
    return f"{value:.2g}" if value < 1 else f"{value:.1f}"


def _turn_head() -> tuple[str, str]:
    return (
        "| messages | ours, per second | bare loop, per second | ours/bare loop | CPU per message, ours, µs "
        "| CPU per message, bare loop, µs | bare loop/ours |",
        "|---|---:|---:|---:|---:|---:|---:|",
    )


def _turn(name: str, turn: Turn) -> str:
    cpu, bare_cpu = (f"{seconds * 1e6:,.0f}" for seconds in (turn.cpu, turn.bare_cpu))
    return (
        f"| {name} | {turn.rate:,.0f} | {turn.bare:,.0f} | {_ratio(turn.share)} | {cpu} | {bare_cpu} | "
        f"{_ratio(turn.cpu_share)} |"
    )


def _large(results: Results) -> Iterator[str]:
    if (large := results.large) is not None:
        yield from (f"## {results.scale.large:,} enabled schedules, ours alone", "", "| measurement | ours |")
        yield from ("|---|---:|", f"| first load, s | {_figure(large.first)} |")
        yield f"| reload after one change, s | {_figure(large.reload)} |"
        yield from (f"| memory of the loaded schedules, MB | {_figure(large.memory / 1e6)} |", "")


def _elsewhere(results: Results) -> Iterator[str]:
    yield from (
        "## Other databases, RabbitMQ and hooks",
        "",
        f"{results.scale.middle:,} schedules are due. On RabbitMQ the bare loop waits for the confirm of each message.",
        "Sentry's `CeleryIntegration` and OpenTelemetry's `CeleryInstrumentor` hook ours and the bare loop alike; what",
        "they report is thrown away. *Sentry's check-ins* are those of `monitor_beat_tasks`, one for each message of a",
        "Beat; a bare loop causes none. The driver of MariaDB is PyMySQL.",
        "",
        *_turn_head(),
    )
    left_out = {}
    for name, result in results.elsewhere.items():
        if isinstance(result, Dispatch):
            yield from (_turn(f"{name}: first", result.first), _turn(f"{name}: later", result.later))
        else:
            left_out[name] = result
    yield ""
    for name, reason in left_out.items():
        yield from (f"{name}: {reason}.", "")


def _lateness(results: Results) -> Iterator[str]:
    yield from (
        "## Lateness",
        "",
        "Schedules run once a second, and their ticks are spread evenly over the second. Beat is a process of its own.",
        "The lateness of a message is the time from its tick until Redis executes its command, by Redis's own clock.",
        "Redis's `MONITOR` gives that time: a process with the lowest priority copies its output to a file, twenty",
        "times a second, and the file is read at the end. A message of stock Beat has no tick: it is late by the time",
        "beyond one second since the previous message of its schedule.",
        "",
        "| schedules | | seconds | ticks | lost | sent twice | median, ms | p99, ms | longest, ms |",
        "|---:|---|---:|---:|---:|---:|---:|---:|---:|",
    )
    for size, late in results.late.items():
        yield _late(f"{size:,} | stock | {late.seconds}", late.stock)
        yield _late(f"{size:,} | ours | {late.seconds}", late.ours)
    yield _late(f"{results.scale.late_size:,} | ours, all at one instant | {results.scale.seconds}", results.instant)
    yield ""


def _late(name: str, late: Lateness) -> str:
    counts = " | ".join(f"{count:,}" for count in (late.expected, late.lost, late.sent_twice))
    times = " | ".join(f"{seconds * 1e3:,.1f}" for seconds in (late.median, late.p99, late.longest))
    return f"| {name} | {counts} | {times} |"


def _processes(results: Results) -> Iterator[str]:
    yield from ("## Processes", "", "| measurement | seconds |", "|---|---:|")
    for who, times in results.pickups.items():
        what = f"| from the commit of an apply to the first message, {results.scale.middle:,} schedules, {who}"
        yield f"{what}: median of {len(times)} | {_part(times, 0.5):.2f} |"
        yield f"{what}: p95 | {_part(times, 0.95):.2f} |"
    for kind, times in results.failovers.items():
        what = f"| from {kind} of the leader to the first message of a standby, lease 15 s"
        yield f"{what}: median of {len(times)} | {_part(times, 0.5):.2f} |"
        yield f"{what}: longest of {len(times)} | {times[-1]:.2f} |"
    killed, stopped = (results.failovers[kind][-1] for kind in ("SIGKILL", "SIGSTOP"))
    yield from (
        "",
        f"The longest takeover after a kill is {killed / stopped:.2f} of the wait for the end of the lease.",
    )


def _part(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
