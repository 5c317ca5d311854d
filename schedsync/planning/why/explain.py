"""The explanation of a schedule: of its last and its next tick, of the tick at a time, or of all ticks since one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import NamedTuple
from zoneinfo import ZoneInfo

from schedsync.calendar.clock_times import ClockTime, Span, span_of
from schedsync.calendar.ticks import count
from schedsync.core.schedule import Spec
from schedsync.core.timing import MICROSECOND, zone_of
from schedsync.core.why import Answer, Evidence, Explanation, Facts, Listed, Ticks, Verdict
from schedsync.planning.why.case import Case, decided, inferred, seen
from schedsync.planning.why.clocks import clock_note, left_out
from schedsync.planning.why.coming import coming_answer, next_answer, rolled_back_text
from schedsync.planning.why.past import by, changes_after, spec_at
from schedsync.planning.why.rules import past_answer
from schedsync.planning.why.state import gone_since
from schedsync.planning.why.ticks import coming_tick, first_from, last_at, ticks_between
from schedsync.planning.why.words import clock_at, time_at

#: How many ticks ``--since`` looks at, and how many lines it has at most.
MOST_TICKS, MOST_LINES = 1000, 200
#: A tick that is this young may still be on its way.
_FRESH = timedelta(seconds=5)
#: The least time to read before and after a tick.
_LEAST = timedelta(minutes=10)
_UTC = ZoneInfo("UTC")


class Needed(NamedTuple):
    """A span of time, and the ticks of it whose records are needed first."""

    since: datetime
    until: datetime
    ticks: tuple[datetime, ...]


def explain(facts: Facts, asked: str, at: ClockTime | None = None, since: ClockTime | None = None) -> Explanation:
    """Explain the tick at a time, or the last tick and the next; ``asked`` is the name that the user gave."""
    answer = _last_answer(facts) if at is None else _answer_at(facts, at)
    tick = answer.tick or (None if at is None else _span(facts, at).start)
    end = _end_of(facts, tick or facts.now)
    before = None if answer.verdict is Verdict.NOT_CREATED else last_at(facts, end - MICROSECOND)
    return Explanation(
        name=facts.name,
        asked=asked,
        at=facts.now,
        spec=facts.row.spec if facts.row and facts.row.spec else spec_at(facts, facts.now),
        managed=facts.managed,
        answer=_with_clock_note(facts, answer),
        before=None if before is None else _answer_of(facts, before),
        following=_following(facts, tick, is_asked=at is not None and tick == end),
        notes=tuple(_notes(facts, asked, tick, is_asked=at is not None)),
        listed=None if since is None else _listed(facts, _span(facts, since).start),
    )


def _end_of(facts: Facts, at: datetime) -> datetime:
    """Return an instant, or that of the deletion if the schedule was deleted before it: it has no tick after that."""
    gone = gone_since(Case(facts, facts.now))
    return at if gone is None or gone.at is None else min(at, gone.at)


def span_needed(facts: Facts, at: ClockTime | None, since: ClockTime | None) -> Needed:
    """Return which records of the journal an explanation needs; ``facts`` are without them."""
    if since is not None:
        start, end = _span(facts, since).start, facts.now
    elif at is None:
        start = end = facts.now
    else:
        start, end = _span(facts, at)[:2]
    start = _end_of(facts, start)
    last = last_at(facts, start)
    before = None if last is None else last_at(facts, last - MICROSECOND)
    following = first_from(facts, end)
    earliest = before or last or start
    # An interval is not placed by its timing alone: its ticks may be a step away.
    step = max((last or start) - earliest, _LEAST)
    ticks = {tick for tick in (before, last, start, following) if tick is not None and tick <= facts.now}
    until = max(min(following or facts.now, facts.now), end) + step
    return Needed(min(earliest, start) - step, until, tuple(sorted(ticks)))


def _last_answer(facts: Facts) -> Answer:
    """Return the answer for the last tick, but for the one before if that is still on its way."""
    tick = last_at(facts, facts.now)
    gone = gone_since(Case(facts, facts.now))
    if gone is not None:
        sentence = f"{facts.name} does not exist any more: {gone.words}"
        return Answer(None, Verdict.DELETED, sentence, gone.words, (gone,))
    if tick is None:
        return _never_due(facts)
    if facts.now - tick < _FRESH and facts.claim is not None and facts.claim.tick < tick:
        tick = max(facts.claim.tick, last_at(facts, facts.now - _FRESH) or facts.claim.tick)
    return past_answer(facts, tick)


def _never_due(facts: Facts) -> Answer:
    if facts.row is None or facts.row.spec is None:
        return next_answer(facts)
    words = "its timing has had no tick so far"
    return Answer(None, Verdict.NO_TICK, f"{facts.name} has not run: {words}", words, (inferred(words),))


def _answer_of(facts: Facts, tick: datetime) -> Answer:
    return past_answer(facts, tick) if tick <= facts.now else coming_answer(facts, tick)


def _span(facts: Facts, at: ClockTime) -> Span:
    """Return what a typed time means in the zone that the schedule had then."""
    now = facts.now
    spec = spec_at(facts, at.at or now)
    span = span_of(at, zone_of(spec.timing), now) if spec else span_of(at, _UTC, now)
    then = spec_at(facts, span.start)
    return span if then is None else span_of(at, zone_of(then.timing), now)


def _answer_at(facts: Facts, at: ClockTime) -> Answer:
    span = _span(facts, at)
    tick = _tick_in(facts, span)
    if tick is not None:
        return _answer_of(facts, tick)
    spec = spec_at(facts, span.start)
    changed = None if spec is None else left_out(facts.name, spec, span, facts.now)
    return changed or _no_tick(facts, spec, span)


def _tick_in(facts: Facts, span: Span) -> datetime | None:
    """Return the first tick in a span: one that Beat noted, else one of the timing."""
    noted = next((tick for tick in facts.noted if span.start <= tick < span.end), None)
    tick = noted or first_from(facts, span.start)
    return tick if tick is not None and tick < span.end else None


def _no_tick(facts: Facts, spec: Spec | None, span: Span) -> Answer:
    """Answer for a time at which the timing has no tick, and name the nearest ones."""
    before, after = last_at(facts, span.start), first_from(facts, span.end)
    near = {"before": before, "after": after}
    named = ", ".join(f"the nearest {side} is {clock_at(tick, spec, facts.now)}" for side, tick in near.items() if tick)
    was = "was" if span.start <= facts.now else "will be"
    words = f"its timing has no tick then{f'; {named}' if named else ''}"
    sentence = f"{facts.name} {was} not due at {time_at(span.start, spec, facts.now)}: {words}"
    return Answer(None, Verdict.NO_TICK, sentence, words, (inferred("the timing has no tick then"),))


def _with_clock_note(facts: Facts, answer: Answer) -> Answer:
    spec = None if answer.tick is None else spec_at(facts, answer.tick)
    if answer.tick is None or spec is None or answer.verdict is Verdict.REPEATED:
        return answer
    note = clock_note(spec, answer.tick, facts.now)
    return answer if note is None else replace(answer, evidence=(*answer.evidence, note))


def _following(facts: Facts, tick: datetime | None, *, is_asked: bool) -> Answer:
    if not is_asked or tick is None:
        return next_answer(facts)
    following = first_from(facts, tick + MICROSECOND)
    if following is not None and (following <= facts.now or (tick > facts.now and coming_tick(facts) is not None)):
        return _answer_of(facts, following)
    return next_answer(facts)


def _notes(facts: Facts, asked: str, tick: datetime | None, *, is_asked: bool) -> Iterator[Evidence]:
    """Yield what happened to the schedule beside its ticks: since the tick, or in the last day.

    A run by hand belongs to the tick that was asked for only until the next one.
    """
    if asked != facts.name:
        yield _renamed(facts, asked)
    spec, since = spec_at(facts, facts.now), facts.now - timedelta(days=1)
    following = first_from(facts, tick + MICROSECOND) if is_asked and tick is not None else None
    for change in changes_after(facts, min(since, tick or since)):
        at = clock_at(change.at, spec, facts.now)
        edit = change.change_of("timing")
        if edit is not None and edit.before is not None and edit.after is not None:
            yield seen(f"its timing changed at {at} {by(change)}", "audit", change.at)
        if change.kind == "run" and _is_near(change.at, tick if is_asked else None, following):
            yield seen(f"{change.who} sent it by hand at {at}", "audit", change.at)
    if (mark := facts.rolled_back) is not None:
        yield decided(rolled_back_text(facts, mark), "rollback", mark.since)


def _is_near(at: datetime, tick: datetime | None, following: datetime | None) -> bool:
    return (tick is None or tick <= at) and (following is None or at < following)


def _renamed(facts: Facts, asked: str) -> Evidence:
    change = next((each for each in facts.recorded if each.kind == "rename" and each.old_name == asked), None)
    if change is None:
        return inferred(f"the row of `{asked}` has the name `{facts.name}` now", "ledger")
    at = clock_at(change.at, spec_at(facts, facts.now), facts.now)
    return seen(f"`{asked}` was renamed to `{change.name}` at {at} {by(change)}", "audit", change.at)


def _listed(facts: Facts, since: datetime) -> Listed:
    ticks, is_cut = ticks_between(facts, since, facts.now, MOST_TICKS)
    groups = list(_grouped([past_answer(facts, tick) for tick in ticks]))
    shown = groups[-MOST_LINES:]
    cut = sum(group.count for group in groups[: -len(shown)]) if shown else 0
    return Listed(since, tuple(shown), cut + (_older(facts, since, ticks[0]) if is_cut else 0))


def _older(facts: Facts, since: datetime, first_shown: datetime) -> int:
    """Count the ticks before the first that was looked at."""
    first, spec = first_from(facts, since), spec_at(facts, since)
    return 0 if first is None or spec is None or first >= first_shown else count(spec.timing, first, first_shown)


def _grouped(answers: Sequence[Answer]) -> Iterator[Ticks]:
    """Yield one entry for ticks that follow one another and became the same."""
    for _, same in groupby(answers, key=lambda answer: (answer.verdict, answer.group or answer.because)):
        group = list(same)
        first, last = group[0], group[-1]
        if first.tick is None or last.tick is None:
            continue
        is_one = len(group) == 1
        words = first.because if is_one else first.group or first.because
        yield Ticks(first.tick, last.tick, len(group), first.verdict, words, first.task_id if is_one else None)
