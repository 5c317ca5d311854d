"""The words of an answer: instants in the schedule's zone, how late, who stopped it, and which Beat."""

from __future__ import annotations

import shlex
from datetime import datetime, timedelta, timezone

from schedsync.calendar.words import when
from schedsync.core.journal import Reign
from schedsync.core.open_run import OpenRun
from schedsync.core.schedule import Spec
from schedsync.core.timing import duration_text, moment, zone_of
from schedsync.core.why import Facts, Stop

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def time_at(instant: datetime, spec: Spec | None, now: datetime) -> str:
    """Write an instant as the schedule's own clocks show it, and in UTC where that differs."""
    return when(instant, spec.timing, now) if spec else f"{moment(instant, now=now)} UTC"


def clock_at(instant: datetime, spec: Spec | None, now: datetime) -> str:
    """Write an instant in the schedule's zone, whose name the same sentence says already."""
    return moment(instant, zone_of(spec.timing) if spec else timezone.utc, now)


def late_text(late: timedelta | float) -> str:
    """Write how late a tick was sent."""
    seconds = late.total_seconds() if isinstance(late, timedelta) else late
    if seconds < 0:
        return f"{-seconds:.2f} s early"
    return f"{seconds:.2f} s late" if seconds < _MINUTE else f"{span_text(seconds)} late"


def span_text(seconds: float) -> str:
    """Write a length of time in its two largest units."""
    whole = max(int(seconds), 0)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        rest = whole % _MINUTE
        return f"{whole // _MINUTE} min" + (f" {rest} s" if rest else "")
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def run_text(run: OpenRun, spec: Spec | None, now: datetime, *, verb: str = "was") -> str:
    """Write which run has not ended, since when, and where."""
    where = "in its queue" if run.started_at is None else "running"
    since = "" if run.since is None else f", since {clock_at(run.since, spec, now)}"
    on = f" on {run.worker}" if run.worker else ""
    return f"run {run.task_id} {verb} still {where}{since}{on}"


def stop_text(stop: Stop, spec: Spec | None, now: datetime) -> str:
    """Write who stopped the schedule or everything, until when, and why."""
    what = "everything was paused" if stop.everything else "paused"
    until = f"until {clock_at(stop.until, spec, now)}" if stop.until else "until it is resumed"
    over = ", and nobody has ended it yet" if stop.lingers else ""
    return f"{what} by {stop.who or 'an unknown user'} {until}{over}: {stop.reason}"


def beat_of(facts: Facts, epoch: int, name: str = "") -> str:
    """Return the name of the Beat that led in an epoch."""
    of_reign = next((reign.beat for reign in facts.reigns if reign.epoch == epoch), "")
    return name or of_reign or facts.beats.names.get(epoch, "") or f"a Beat that led in epoch {epoch}"


def gap_text(gap: tuple[Reign | None, Reign | None], spec: Spec | None, now: datetime) -> str:
    """Write when nobody led, between two reigns; the later one is None while nobody leads."""
    before, after = gap
    start = clock_at(before.until, spec, now) if before and before.until else "an unknown time"
    if after is None:
        return f"nobody has led since {start}"
    return f"nobody led from {start} to {_without_same_day(start, clock_at(after.since, spec, now))}"


def _without_same_day(start: str, end: str) -> str:
    day, _, _ = start.rpartition(" ")
    return end.removeprefix(f"{day} ") if day else end


def lateness_words(spec: Spec, cron_deadline: int | None) -> str:
    """Write which field says whether a late tick is sent."""
    if spec.starting_deadline is not None:
        return f"`starting_deadline: {duration_text(spec.starting_deadline)}`"
    if cron_deadline is not None and spec.timing.kind == "crontab":
        return f"Celery's `beat_cron_starting_deadline = {cron_deadline}`"
    return missed_words(spec)


def missed_words(spec: Spec) -> str:
    """Write the field that says which missed ticks are sent."""
    return f"`missed_runs: {spec.missed_runs}`"


def command(verb: str, name: str) -> str:
    """Return the words behind `schedsync` of a command about one schedule, as a shell reads them."""
    dashes = "-- " if name.startswith("-") else ""
    return f"{verb} {dashes}{shlex.quote(name)}"
