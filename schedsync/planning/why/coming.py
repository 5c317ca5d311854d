"""Whether a tick that is still to come will be sent, as far as it is decided now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from schedsync.calendar.ticks import first_after
from schedsync.core.rollback import RolledBack
from schedsync.core.schedule import Spec
from schedsync.core.timing import MICROSECOND, Clocked
from schedsync.core.why import Answer, Evidence, Facts, Stop, Verdict
from schedsync.planning.why.case import Case, decided, inferred, seen, unknown
from schedsync.planning.why.noted import not_sent_by_journal
from schedsync.planning.why.state import (
    broken_now,
    held_since,
    held_text,
    is_done,
    removed_text,
    resume_of,
    runs_in_spite_of_removal,
)
from schedsync.planning.why.ticks import coming_tick, late_tick, refused_tick
from schedsync.planning.why.words import clock_at, command, run_text, stop_text, time_at


def next_answer(facts: Facts) -> Answer:
    """Return what is known of the next tick that will be sent."""
    tick = coming_tick(facts)
    first = None if tick is None else _after_stops(facts, tick)
    if tick is None or first is None or first == tick:
        return coming_answer(facts, tick)
    answer = coming_answer(facts, first)
    stop = _stop_of(facts, tick)
    if stop is None or answer.verdict is not Verdict.COMING:
        return answer
    words = stop_text(stop, _spec(facts), facts.now)
    said = decided(words, "pause", stop.since)
    because = "; ".join(filter(None, (words, answer.because)))
    return replace(answer, because=because, evidence=(said, *answer.evidence), way_out=resume_of(facts, stop))


def _spec(facts: Facts) -> Spec | None:
    return facts.row.spec if facts.row else None


def _after_stops(facts: Facts, tick: datetime) -> datetime | None:
    """Return the first tick that no stop with an end covers; None where one has no end."""
    spec = _spec(facts)
    if spec is None or isinstance(spec.timing, Clocked):
        return None
    for _ in facts.stops:
        stop = _stop_of(facts, tick)
        if stop is None:
            return tick
        if stop.until is None or stop.lingers:
            return None
        after = first_after(spec.timing, tick, stop.until - MICROSECOND)[0]
        if after is None:
            return None
        tick = after
    return tick


def _stop_of(facts: Facts, tick: datetime) -> Stop | None:
    return next((stop for stop in facts.stops if stop.lasts and stop.covers(tick)), None)


def coming_answer(facts: Facts, tick: datetime | None) -> Answer:
    """Return what is known of a tick to come; None where the timing has no tick any more."""
    spec = _spec(facts)
    if answer := _never(facts, spec, tick):
        return answer
    if tick is None or spec is None:
        return _none(facts, Verdict.COMPLETED, "its timing has no tick any more", inferred("the timing ends"))
    if answer := _not_then(facts, spec, tick):
        return answer
    sentence = f"{facts.name} runs at {time_at(tick, spec, facts.now)}"
    trouble = list(_conditions(facts, spec, tick))
    because = trouble[0].words if trouble else ""
    return Answer(tick, Verdict.COMING, sentence + (f": {because}" if because else ""), because, tuple(trouble))


def _none(facts: Facts, verdict: Verdict, because: str, evidence: Evidence, *way_out: str) -> Answer:
    sentence = f"{facts.name} does not run again: {because}"
    return Answer(None, verdict, sentence, because, (evidence,), way_out=tuple(way_out))


def _never(facts: Facts, spec: Spec | None, tick: datetime | None) -> Answer | None:
    """Answer for a schedule that does not run again unless somebody does something."""
    if facts.row is None:
        return _no_row(facts)
    if facts.managed is not None and (removing := facts.managed.removing) and not runs_in_spite_of_removal(facts):
        words = removed_text(facts.managed, removing, lambda instant: clock_at(instant, spec, facts.now))
        return _none(facts, Verdict.DISABLED, words, decided(words, "ledger", removing.since))
    if problem := broken_now(facts):
        words = f"its row cannot run: {problem}"
        return _none(facts, Verdict.BROKEN, words, seen(words, "row"))
    if is_done(facts) or spec is None:
        words = "it is completed"
        return _none(facts, Verdict.COMPLETED, words, inferred(words, "row"))
    if held := held_since(facts):
        words = held_text(held, clock_at(held[0], spec, facts.now))
        return _none(facts, Verdict.HELD, words, seen(words, "row", held[0]), command("resume", facts.name))
    own_pause = next((stop for stop in facts.stops if stop.lasts and not stop.everything), None)
    if not spec.enabled and own_pause is None:
        return _disabled(facts)
    if own_pause is not None and (own_pause.until is None or own_pause.lingers or tick is None):
        words = stop_text(own_pause, spec, facts.now)
        return _none(facts, Verdict.PAUSED, words, decided(words, "pause"), command("resume", facts.name))
    return None


def _no_row(facts: Facts) -> Answer:
    if facts.managed is not None:
        does = "forgets it" if facts.managed.removing else "makes it again"
        words = f"its row is gone; the next apply {does}"
        return _none(facts, Verdict.DELETED, words, seen("the ledger has it, and the tables don't", "ledger"), "plan")
    if (mark := facts.rolled_back) is not None:
        words = f"it is deleted, {rolled_back_text(facts, mark)}"
        return _none(facts, Verdict.DELETED, words, decided(words, "rollback", mark.since))
    return _none(facts, Verdict.DELETED, "it is deleted", seen("the tables have no such row", "row"))


def _disabled(facts: Facts) -> Answer:
    reason = facts.managed.people.disabled_reason if facts.managed else None
    where = "the files have it disabled" if facts.managed else "its row is disabled"
    words = f"{where}{f': {reason}' if reason else ''}"
    return _none(facts, Verdict.DISABLED, words, decided(words, "ledger" if facts.managed else "row"))


def _not_then(facts: Facts, spec: Spec, tick: datetime) -> Answer | None:
    """Answer for a tick at which it will not run, although it will at others."""
    at = time_at(tick, spec, facts.now)
    stop = _stop_of(facts, tick)
    if stop is not None:
        words, verdict = stop_text(stop, spec, facts.now), Verdict.PAUSED
        way_out = "resume --all" if stop.everything else command("resume", facts.name)
        said = decided(words, "pause", stop.since)
        return Answer(tick, verdict, f"{facts.name} will not run at {at}: {words}", words, (said,), way_out=(way_out,))
    if spec.expires_at is not None and tick >= spec.expires_at:
        words, verdict = f"it ends at {clock_at(spec.expires_at, spec, facts.now)}", Verdict.EXPIRED
    elif spec.start_at is not None and tick < spec.start_at:
        words, verdict = f"it starts at {clock_at(spec.start_at, spec, facts.now)}", Verdict.NOT_STARTED
    else:
        return None
    return Answer(tick, verdict, f"{facts.name} will not run at {at}: {words}", words, (decided(words, "row"),))


def _conditions(facts: Facts, spec: Spec, tick: datetime) -> Iterator[Evidence]:
    """Yield what stands in the way now, and may be over by then."""
    if facts.beats.live and facts.beats.leader is None:
        yield seen("nobody leads now, so no task is sent", "Beat's report")
    elif not facts.beats.live:
        stock = "" if facts.beats.ever else ", and stock Beat cannot be seen"
        yield unknown(f"no Beat of schedsync's own is live{stock}", "Beat's report")
    if facts.beats.broker_trouble:
        yield seen(f"the broker is away: {facts.beats.broker_trouble}", "Beat's report")
    run = facts.open_run
    end = None if run is None else run.counts_until(spec.max_runtime or 0, spec.expires_after)
    if run is not None and end is not None and tick < end:
        words = f"{run_text(run, spec, facts.now, verb='is')}; `overlap: skip` leaves the tick out unless it ends first"
        yield seen(words, "open run", run.since)
    if (failed := refused_tick(facts)) is not None:
        first = f"the tick of {clock_at(failed.tick, spec, facts.now)} comes first"
        yield seen(f"{first}, which the broker has refused so far: {failed.reason}", "failure", failed.at)
        return
    owed = late_tick(facts)
    if owed is not None and not_sent_by_journal(Case(facts, owed)) is None:
        yield inferred(f"the tick of {clock_at(owed, spec, facts.now)} comes first, which is due and not sent yet")


def rolled_back_text(facts: Facts, mark: RolledBack) -> str:
    """Write who rolled a schedule back, when and why."""
    since = clock_at(mark.since, _spec(facts), facts.now)
    return f"rolled back by {mark.who} at {since}: {mark.reason} (run {mark.short_run})"
