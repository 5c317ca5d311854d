"""``schedsync why`` as text: the sentence, its evidence, the ticks around, and the commands that help."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from schedsync.calendar.words import zone_name
from schedsync.core.timing import moment, zone_of
from schedsync.core.why import Answer, Explanation, Listed, Outcome, Ticks, Verdict
from schedsync.render.terminal.columns import at_line_start
from schedsync.render.terminal.paint import Paint, plain
from schedsync.render.words import counted, printable, timing_words

#: The columns before the text of a line: its label.
_LABEL = 10
_FINE = frozenset({Verdict.SENT, Verdict.COMING})
_STOPPED = frozenset(
    {
        Verdict.PAUSED, Verdict.HELD, Verdict.DISABLED, Verdict.NOT_STARTED, Verdict.EXPIRED, Verdict.COMPLETED,
        Verdict.SKIPPED, Verdict.REPEATED, Verdict.NO_TICK, Verdict.NOT_CREATED, Verdict.DELETED, Verdict.UNKNOWN,
        Verdict.UNSURE,
    }
)  # fmt: skip
_PURPOSES = {
    "run": "To run it now",
    "resume": "To let it run again",
    "status": "To see how Beat is",
    "plan": "To see the next apply",
}


def why_text(value: Explanation, paint: Paint = plain) -> str:
    """Write the explanation; all text from rows and records is escaped."""
    return "\n".join(
        [*_answer(value.answer, paint), *_notes(value), *_around(value), *_listed(value), *ways_out(value)]
    )


def _colour(verdict: Verdict) -> str:
    if verdict in _FINE:
        return "green"
    return "yellow" if verdict in _STOPPED else "red"


def _answer(answer: Answer, paint: Paint) -> Iterator[str]:
    yield paint(at_line_start(printable(answer.sentence)), _colour(answer.verdict))
    for evidence in answer.evidence:
        yield _line(evidence.kind.value, evidence.words)
    if answer.task_id is not None:
        yield _line("task", answer.task_id)


def _line(label: str, words: str) -> str:
    return f"  {label:<{_LABEL}}{printable(words)}"


def _notes(value: Explanation) -> Iterator[str]:
    for note in value.notes:
        yield _line(note.kind.value, note.words)


def _around(value: Explanation) -> Iterator[str]:
    if value.before is not None:
        yield f"Before: {short_answer(value.before, value)}"
    if value.following is not None and value.following.tick != value.answer.tick:
        yield f"Next:   {short_answer(value.following, value)}"
    if value.spec is not None and value.answer.verdict is not Verdict.DELETED:
        place = value.managed.location if value.managed else None
        where = f"   {place.path}:{place.line}" if place else "" if value.managed else "   managed by nobody"
        yield f"Timing: {printable(timing_words(value.spec.timing, with_utc=True))}{printable(where)}"


def short_answer(answer: Answer, value: Explanation) -> str:
    """Write an answer in one line, without the name and the zone."""
    if answer.tick is None:
        return f"none: {printable(answer.because)}"
    at = f"{_clock(value, answer.tick)} "
    if answer.verdict is Verdict.COMING:
        return printable(f"{at}{_zone(value)}{f': {answer.because}' if answer.because else ''}")
    sent = answer.verdict in (Verdict.SENT, Verdict.UNSURE, Verdict.NOT_RUN)
    words = f"{at}{'' if sent or answer.verdict is Verdict.UNKNOWN else 'not sent: '}{answer.because}"
    task = f", task {answer.task_id}" if answer.task_id and sent else ""
    more = f"{task}{_outcome(answer.outcome)}"
    # The error of a library may end with a full stop.
    return printable(f"{words.removesuffix('.')}{more}" if more else words)


def _outcome(outcome: Outcome | None) -> str:
    if outcome is None:
        return ""
    return f", {outcome.state}" if outcome.state else ", outcome unknown"


def _clock(value: Explanation, instant: datetime) -> str:
    return moment(instant, zone_of(value.spec.timing), value.at) if value.spec else moment(instant, now=value.at)


def _zone(value: Explanation) -> str:
    return zone_name(value.spec.timing) if value.spec else "UTC"


def _listed(value: Explanation) -> Iterator[str]:
    if value.listed is None:
        return
    yield from _list_of(value.listed, value)


def _list_of(listed: Listed, value: Explanation) -> Iterator[str]:
    total = sum(ticks.count for ticks in listed.ticks) + listed.left_out
    yield f"Since {_clock(value, listed.since)} {_zone(value)}: {counted(total, 'tick')}"
    if listed.left_out:
        yield f"  {counted(listed.left_out, 'older tick')} left out; give a later time to `--since`"
    whens = [ticks_text(ticks, value) for ticks in listed.ticks]
    width = max(map(len, whens), default=0)
    for when, ticks in zip(whens, listed.ticks, strict=True):
        task = f", task {ticks.task_id}" if ticks.task_id and ticks.verdict is not Verdict.SENT else ""
        yield f"  {when:<{width}}  {ticks.verdict.value:<11}  {printable(ticks.because)}{task}"


def ticks_text(ticks: Ticks, value: Explanation) -> str:
    """Write when ticks were, in the zone of the schedule."""
    first = _clock(value, ticks.first)
    if ticks.count == 1:
        return first
    return f"{first} to {_clock(value, ticks.last)} ({ticks.count:,})"


def ways_out(value: Explanation) -> Iterator[str]:
    """Yield what helps, each with the command."""
    ways = dict.fromkeys([*value.answer.way_out, *(value.following.way_out if value.following else ())])
    for way in ways:
        purpose = _PURPOSES.get(way.split(" ")[0], "To go on")
        yield f"{purpose}: schedsync {printable(way)}"
