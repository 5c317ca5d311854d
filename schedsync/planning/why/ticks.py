"""The ticks of a schedule around an instant, by its timing as it was then; an interval needs a known tick to count."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import takewhile

from schedsync.calendar.overdue import lateness_of
from schedsync.calendar.slots import crontab_slots
from schedsync.calendar.ticks import due, first_after, first_tick, last_tick, tick_after
from schedsync.core.timing import MICROSECOND, Clocked, Crontab, Interval
from schedsync.core.why import Facts, NotSent
from schedsync.planning.why.past import spec_at, timing_changes

_DAY = timedelta(days=1)
#: How far back to look for a tick of the sun or of a rare crontab.
_SPANS = tuple(timedelta(days=days) for days in (8, 400, 20 * 366))


def last_at(facts: Facts, at: datetime) -> datetime | None:
    """Return the last tick at or before an instant, as far as it can be known; each timing counts while it was set."""
    for change in timing_changes(facts, datetime.min.replace(tzinfo=timezone.utc), at):
        tick = _last_at(facts, at)
        if tick is not None and tick >= change:
            return tick
        at = change - MICROSECOND
    return _last_at(facts, at)


def _last_at(facts: Facts, at: datetime) -> datetime | None:
    """Return the same by the timing of that instant alone."""
    spec = spec_at(facts, at)
    if spec is None:
        return _noted_until(facts, at)
    timing = spec.timing
    if isinstance(timing, Clocked):
        return timing.at if timing.at <= at else None
    if isinstance(timing, Interval):
        return _interval_last(facts, timing, at)
    for span in _SPANS:
        first = tick_after(timing, at - span)
        if first is not None and first <= at:
            return last_tick(timing, first, at)
    return None


def first_from(facts: Facts, at: datetime) -> datetime | None:
    """Return the first tick at or after an instant; each timing counts while it was set."""
    for change in reversed(timing_changes(facts, at, facts.now)):
        tick = _first_from(facts, at)
        if tick is not None and tick < change:
            return tick
        at = change
    return _first_from(facts, at)


def _first_from(facts: Facts, at: datetime) -> datetime | None:
    """Return the same by the timing of that instant alone."""
    spec = spec_at(facts, at)
    if spec is None:
        return None
    if isinstance(spec.timing, Interval):
        last = _interval_last(facts, spec.timing, at)
        step = timedelta(microseconds=spec.timing.microseconds)
        if last is None:
            base = base_of(facts)
            return None if base is None else _stepped(base, step, at)
        return last if last == at else last + step
    return tick_after(spec.timing, at - MICROSECOND)


def _stepped(base: datetime, step: timedelta, at: datetime) -> datetime:
    """Return the first instant from ``at`` on that is whole steps from ``base``."""
    return base - (base - at) // step * step


def _interval_last(facts: Facts, timing: Interval, at: datetime) -> datetime | None:
    """Count from the nearest tick that is known: one that Beat noted, else the claim, else the last run."""
    noted = _noted_until(facts, at)
    base = noted or base_of(facts)
    if base is None:
        return None
    step = timedelta(microseconds=timing.microseconds)
    return base + (at - base) // step * step


def base_of(facts: Facts) -> datetime | None:
    """Return a tick from which an interval counts: that of the claim, else its last run, else its start."""
    if facts.claim is not None:
        return facts.claim.tick
    row = facts.row
    if row is None or row.spec is None:
        return None
    if row.last_run_at is not None:
        return row.last_run_at
    if row.date_changed is None:
        return None
    return first_tick(row.spec.timing, row.date_changed, row.spec.start_at, ran=False)


def _noted_until(facts: Facts, at: datetime) -> datetime | None:
    """Return the last tick at or before an instant that the journal or the claim names."""
    index = bisect_right(facts.noted, at)
    return facts.noted[index - 1] if index else None


def next_tick(facts: Facts) -> datetime | None:
    """Return the tick that Beat owes next, which is in the past where it is overdue; by the row as it is now."""
    row = facts.row
    spec = row.spec if row else None
    if row is None or spec is None:
        return None
    last = facts.claim.tick if facts.claim and isinstance(spec.timing, Interval) else row.last_run_at
    if facts.claim is not None and last is not None and facts.claim.tick > last:
        last = facts.claim.tick
    return first_tick(spec.timing, last or row.date_changed or facts.now, spec.start_at, ran=last is not None)


def late_tick(facts: Facts) -> datetime | None:
    """Return the tick of the past that Beat sends next, by ``missed_runs`` and the deadline; None if it sends none."""
    tick = next_tick(facts)
    if tick is None or tick > facts.now or facts.row is None or facts.row.spec is None:
        return None
    spec = facts.row.spec
    since = facts.beats.leads_since or facts.now
    lateness = lateness_of(spec, facts.cron_deadline)
    decision = due(spec.timing, tick, facts.now, lateness, since)
    later = decision.tick or decision.following
    return later if later is not None and later <= facts.now else None


def refused_tick(facts: Facts) -> NotSent | None:
    """Return the failure of a tick that Beat still tries to send; None if none is, or Beat has gone on since."""
    failed, claim = facts.not_sent, facts.claim
    if failed is None or failed.given_up or claim is None:
        return None
    return failed if claim.tick == failed.tick and not claim.confirmed else None


def coming_tick(facts: Facts) -> datetime | None:
    """Return the first tick after now, by the row as it is now."""
    tick = next_tick(facts)
    spec = facts.row.spec if facts.row else None
    if tick is None or spec is None or tick > facts.now:
        return tick
    if isinstance(spec.timing, Clocked):
        return None
    return first_after(spec.timing, tick, facts.now)[0]


def ticks_between(facts: Facts, since: datetime, until: datetime, most: int) -> tuple[list[datetime], bool]:
    """Return the last ``most`` ticks of a span, the oldest first, and whether there are older ones."""
    ticks: list[datetime] = []
    for tick in _backwards(facts, until):
        if tick < since:
            return ticks[::-1], False
        if len(ticks) == most:
            return ticks[::-1], True
        ticks.append(tick)
    return ticks[::-1], False


def _backwards(facts: Facts, until: datetime) -> Iterator[datetime]:
    """Yield the ticks up to an instant, the latest first.

    To find the slot before a slot means to step through its day, so those of a crontab are taken a day at a time.
    """
    tick = last_at(facts, until)
    while tick is not None:
        spec = spec_at(facts, tick)
        if spec is None or not isinstance(spec.timing, Crontab) or timing_changes(facts, tick - 2 * _DAY, tick):
            yield tick
            tick = last_at(facts, tick - MICROSECOND)
            continue
        day = _of_day(spec.timing, tick)
        yield from reversed(day)
        tick = last_at(facts, day[0] - MICROSECOND)


def _of_day(timing: Crontab, last: datetime) -> list[datetime]:
    """Return the slots of the day that ends with a slot."""
    return list(takewhile(lambda slot: slot <= last, crontab_slots(timing, last - _DAY))) or [last]
