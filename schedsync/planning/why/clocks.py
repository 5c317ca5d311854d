"""What daylight saving does to a tick: a wall-clock time that it skips runs later, of one that it repeats the first."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from schedsync.calendar.clock_times import Span
from schedsync.calendar.slots import fields_of, is_slot
from schedsync.calendar.zones import ClockChange, clock_changes
from schedsync.core.schedule import Spec
from schedsync.core.timing import Crontab, zone_of
from schedsync.core.why import Answer, Evidence, Verdict
from schedsync.planning.why.case import inferred
from schedsync.planning.why.words import clock_at, time_at

_DAY = timedelta(days=1)


def clock_note(spec: Spec, tick: datetime, now: datetime) -> Evidence | None:
    """Return what daylight saving did to a tick of a crontab; None on other days."""
    timing = spec.timing
    if not isinstance(timing, Crontab):
        return None
    zone = zone_of(timing)
    change = _change_near(zone, tick)
    if change is None:
        return None
    local = tick.astimezone(zone).replace(tzinfo=None)
    jump = change.after - change.before
    if change.skips and change.at <= tick < change.at + jump and not _matches(timing, local):
        clock = f"{local - jump:%H:%M}"
        return inferred(f"{_words(change)} on that day, so the tick of {clock} is at {clock_at(tick, spec, now)}")
    first, end = change.wall
    if not change.skips and first <= local < end and tick < change.at:
        return inferred(f"{_words(change)} on that day; only the first {local:%H:%M} runs")
    return None


def _change_near(zone: ZoneInfo, at: datetime) -> ClockChange | None:
    changes = clock_changes(zone, (at - _DAY).date(), 3)
    return next((change for change in changes if abs(change.at - at) <= _DAY), None)


def _matches(timing: Crontab, wall: datetime) -> bool:
    fields = fields_of(timing)
    return fields.on(wall.date()) and 60 * wall.hour + wall.minute in fields.minutes


def _words(change: ClockChange) -> str:
    first, end = change.wall
    return f"the clock {'skips' if change.skips else 'repeats'} {first:%H:%M} to {end:%H:%M}"


def left_out(name: str, spec: Spec, span: Span, now: datetime) -> Answer | None:
    """Answer for a time that daylight saving takes from a crontab: it skips it, or it is the second of two."""
    timing = spec.timing
    if not isinstance(timing, Crontab):
        return None
    zone = zone_of(timing)
    change = _change_near(zone, span.start)
    wall = span.wall or span.start.astimezone(zone).replace(tzinfo=None)
    if change is None or not _matches(timing, wall):
        return None
    if span.is_skipped and change.skips:
        words = f"{_words(change)} on that day, and no other tick takes its place"
        sentence = f"{name} did not run at {wall:%H:%M}: {words}"
        return Answer(None, Verdict.SKIPPED, sentence, words, (inferred(words),))
    first = span.start - (change.before - change.after)
    if not change.skips and span.start >= change.at and is_slot(timing, first):
        words = f"{_words(change)} on that day, and only the first {wall:%H:%M} runs"
        sentence = f"{name} did not run at {time_at(span.start, spec, now)}: {words}"
        return Answer(span.start, Verdict.REPEATED, sentence, words, (inferred(words),))
    return None
