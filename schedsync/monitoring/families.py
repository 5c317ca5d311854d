"""Values as the metric families of prometheus-client."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    SummaryMetricFamily,
)
from prometheus_client.core import Metric as Family

from schedsync.core.counters import Counters
from schedsync.core.status import BeatReport, BeatStatus, LastApply, Listed, Status
from schedsync.monitoring import metrics
from schedsync.monitoring.metrics import Metric
from schedsync.monitoring.reading import Reading

#: The characters of a label's value that are kept: as many as a name has at most.
_MOST = 200
#: The values of the labels, and the value; None leaves the sample out.
Sample: TypeAlias = tuple[tuple[str, ...], "float | None"]


def label(text: object) -> str:
    """Return a text as the value of a label: on one line, printable, and not too long."""
    characters = str(text)[:_MOST]
    if characters.isprintable():
        return characters
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in characters)


def seconds(at: datetime | None) -> float | None:
    """Return an instant as Prometheus has it: seconds since 1970."""
    return None if at is None else at.timestamp()


def value(metric: Metric, number: float | None) -> Iterator[Family]:
    """Yield the family of a metric without labels; nothing if its value is not known."""
    yield from values(metric, [((), number)])


def values(metric: Metric, samples: Iterable[Sample]) -> Iterator[Family]:
    """Yield the family of a gauge or a counter; nothing if it has no samples.

    Prometheus refuses all metrics where two samples have the same labels: the first one counts.
    """
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(metric.name, metric.help, labels=metric.labels)
    seen: set[tuple[str, ...]] = set()
    for texts, number in samples:
        labels = tuple(map(label, texts))
        if number is not None and labels not in seen:
            seen.add(labels)
            family.add_metric(labels, number)
    if seen:
        yield family


def info(metric: Metric, rows: Iterable[tuple[str, ...]]) -> Iterator[Family]:
    """Yield the family of an info, whose value is always 1; nothing without rows."""
    family = InfoMetricFamily(metric.name, metric.help, labels=metric.labels)
    for row in dict.fromkeys(tuple(map(label, texts)) for texts in rows):
        family.add_metric(row, {})
    if family.samples:
        yield family


def of_database(reading: Reading) -> Iterator[Family]:
    """Yield what is known of the database, and of all Beats together."""
    status = reading.status
    leaders = [beat for beat in status.beats if beat.leads]
    yield from value(metrics.BEATS_ALIVE, len(status.beats))
    yield from value(metrics.LEADERS, reading.leaders)
    yield from info(metrics.LEADER, ((beat.name, beat.election) for beat in leaders))
    yield from value(metrics.EPOCH, reading.epoch)
    yield from value(metrics.FULLY_PAUSED, status.full_pause is not None)
    yield from value(metrics.OLDEST_PAUSE, seconds(reading.oldest_pause))
    yield from _of_schedules(status, reading.disabled)
    yield from _of_applies(status.management.applies, reading)
    if reading.runs is not None:
        next_runs = (((run.name,), seconds(run.next)) for run in reading.runs.shown)
        last_runs = (((run.name,), seconds(run.last)) for run in reading.runs.shown)
        yield from values(metrics.NEXT_RUN, next_runs)
        yield from values(metrics.LAST_RUN, last_runs)
        yield from value(metrics.LEFT_OUT, reading.runs.left_out)


def _of_schedules(status: Status, disabled: int) -> Iterator[Family]:
    schedules, management = status.schedules, status.management
    yield from value(metrics.ENABLED, schedules.enabled)
    yield from value(metrics.DISABLED, disabled)
    yield from value(metrics.MANAGED, management.managed)
    lists: Mapping[Metric, Listed[Any] | None] = {
        metrics.DUE: schedules.due,
        metrics.OVERDUE: schedules.overdue,
        metrics.FAILED: status.failed,
        metrics.BROKEN: schedules.broken,
        metrics.NEVER_RAN: schedules.never_ran,
        metrics.UNMANAGED: management.unmanaged,
        metrics.PAUSED: management.paused,
        metrics.HELD: management.held,
        metrics.DRIFTED: management.drifted,
        metrics.REMOVING: management.removing,
    }
    for metric, listed in lists.items():
        yield from value(metric, None if listed is None else listed.count)


def _of_applies(applies: Sequence[LastApply], reading: Reading) -> Iterator[Family]:
    failed = reading.failed_applies
    yield from info(metrics.LAST_APPLY, ((apply.set, apply.environment or "", apply.commit or "") for apply in applies))
    times = (((apply.set,), seconds(apply.at)) for apply in applies if apply.set in reading.managing)
    yield from values(metrics.LAST_APPLY_TIME, times)
    changes = (((apply.set, kind), count) for apply in applies for kind, count in sorted(apply.counts.items()))
    yield from values(metrics.LAST_APPLY_CHANGES, changes)
    reasons = {apply.set: "" for apply in applies} | {failure.set: failure.reason for failure in failed}
    yield from values(metrics.LAST_APPLY_FAILED, ((row, bool(row[1])) for row in reasons.items()))
    yield from values(metrics.LAST_FAILURE_TIME, (((failure.set,), seconds(failure.at)) for failure in failed))


def of_beats(beats: Iterable[BeatStatus], counters: Mapping[str, Counters]) -> Iterator[Family]:
    """Yield what Beats say of themselves; ``counters`` are by the id of the Beat."""
    beats = tuple(beats)
    for metric, number_of in _BY_BEAT.items():
        yield from values(metric, (((beat.name,), number_of(beat)) for beat in beats))
    reports = [(beat, beat.report) for beat in beats if beat.report is not None]
    for metric, reported in _BY_REPORT.items():
        yield from values(metric, (((beat.name,), reported(beat, report)) for beat, report in reports))
    counted = {beat.name: counters[beat.id] for beat in beats if beat.id in counters}
    for metric, attribute in _COUNTED.items():
        yield from values(metric, (((name,), getattr(of_beat, attribute)) for name, of_beat in counted.items()))
    if counted:
        reloads = SummaryMetricFamily(metrics.RELOADS.name, metrics.RELOADS.help, labels=metrics.RELOADS.labels)
        for name, of_beat in counted.items():
            reloads.add_metric((label(name),), of_beat.reloads, of_beat.reload_seconds)
        yield reloads


def _broker_up(beat: BeatStatus, report: BeatReport) -> float | None:
    return float(not report.broker_trouble) if beat.leads else None


_BY_BEAT: Mapping[Metric, Callable[[BeatStatus], float | None]] = {
    metrics.BEAT_START: lambda beat: seconds(beat.started_at),
    metrics.BEAT_LEADS: lambda beat: float(beat.leads),
    metrics.BEAT_SCHEDULES: lambda beat: beat.schedules,
    metrics.BEAT_TROUBLE: lambda beat: float(bool(beat.trouble)),
}
_BY_REPORT: Mapping[Metric, Callable[[BeatStatus, BeatReport], float | None]] = {
    metrics.BROKER_UP: _broker_up,
    metrics.CLOCK_SKEW: lambda _beat, report: report.clock_ahead,
    metrics.LAG: lambda _beat, report: report.last_late,
    metrics.LAST_TICK: lambda _beat, report: seconds(report.last_tick),
}
_COUNTED = {
    metrics.SENT: "sent",
    metrics.REFUSED: "refused",
    metrics.GIVEN_UP: "given_up",
    metrics.UNSURE: "unsure",
    metrics.PASSED_OVER: "passed_over",
    metrics.LEASE_LOSSES: "lease_losses",
}
