"""``schedsync status`` as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from schedsync.core.names import and_more
from schedsync.core.status import BeatStatus, Failed, Late, Status
from schedsync.core.timing import instant_text
from schedsync.planning.converter import full_pause_document
from schedsync.render.json_ import dump
from schedsync.render.text import Paint, plain
from schedsync.render.words import printable

_MOST = 20


def status_text(value: Status, paint: Paint = plain) -> str:
    """Write who leads, and what does not run as it should."""
    return "\n".join([*_full_pause(value, paint), *_beats(value, paint), "", *_schedules(value, paint)])


def _full_pause(value: Status, paint: Paint) -> Iterator[str]:
    if value.full_pause:
        yield paint(printable(value.full_pause.text(value.at)), "yellow")


def _beats(value: Status, paint: Paint) -> Iterator[str]:
    if not value.beats:
        yield paint("No Beat of schedsync's own is running", "yellow")
        yield "  stock Beat cannot be seen from here; `celery beat --scheduler schedsync.beat:Scheduler` can"
    elif not any(beat.leads for beat in value.beats):
        yield paint("Nobody leads: no task is sent", "red")
    for beat in value.beats:
        yield f"{beat.name} {paint(_leads(beat), 'green') if beat.leads else 'stands by'}"
        seen = f"seen {beat.seen.total_seconds():.0f} s ago"
        yield f"  {_loaded(beat, value.number)}; {beat.schedules:,} schedules; {seen}"
        if beat.trouble:
            yield paint(f"  {printable(beat.trouble)}", "red")


def _leads(beat: BeatStatus) -> str:
    since = f" since {_time(beat.leads_since)}" if beat.leads_since else ""
    return f"sends{since}, without an election" if beat.election == "none" else f"leads{since}, epoch {beat.epoch}"


def _loaded(beat: BeatStatus, number: int) -> str:
    if beat.loaded_at is None:
        return "has loaded nothing yet"
    missing = number - beat.loaded
    behind = f", {missing} behind" if missing > 0 else ""
    return f"loaded change {beat.loaded}{behind} at {_time(beat.loaded_at)}"


def _schedules(value: Status, paint: Paint) -> Iterator[str]:
    yield f"{value.enabled:,} schedules enabled, {len(value.due):,} due, {len(value.overdue):,} overdue"
    for late in value.overdue[:_MOST]:
        yield paint(f"  overdue: {printable(late.name)}, since {_time(late.tick)}", "red")
    yield from _more(value.overdue)
    for failed in value.failed[:_MOST]:
        yield paint(f"  {_failed(failed)}", "red")
    yield from _more(value.failed)
    groups = {
        "cannot run, see `schedsync doctor`": value.broken,
        "enabled, but their task is not registered here": value.unregistered,
        "never ran": value.never_ran,
        "disabled for more than 30 days": value.disabled_long,
    }
    for title, names in groups.items():
        if names:
            yield f"{title}: {', '.join(map(printable, names[:_MOST]))}"
            yield from _more(names)


def _failed(failed: Failed) -> str:
    what = "not sent" if failed.given_up else "refused, and tried again"
    tick, at = _time(failed.tick), _time(failed.at)
    return f"{what}: {printable(failed.name)}, tick {tick}, at {at}: {printable(failed.reason)}"


def _more(values: Sequence[Any]) -> Iterator[str]:
    if more := and_more(len(values), _MOST):
        yield f" {more}"


def _time(value: datetime) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S} UTC"


def status_json(value: Status) -> str:
    """Write all of it; instants in UTC, ``seen`` in seconds."""
    return dump(
        {
            "version": 1,
            "at": instant_text(value.at),
            "number": value.number,
            "everything_paused": full_pause_document(value.full_pause) if value.full_pause else None,
            "beats": [_beat_document(beat) for beat in value.beats],
            "enabled": value.enabled,
            "due": [_late_document(late) for late in value.due],
            "overdue": [_late_document(late) for late in value.overdue],
            "failed": [_failed_document(failed) for failed in value.failed],
            "never_ran": list(value.never_ran),
            "disabled_long": list(value.disabled_long),
            "unregistered": list(value.unregistered),
            "broken": list(value.broken),
        }
    )


def _beat_document(beat: BeatStatus) -> dict[str, Any]:
    values = {**asdict(beat), "seen": round(beat.seen.total_seconds(), 3)}
    return {name: instant_text(value) if isinstance(value, datetime) else value for name, value in values.items()}


def _failed_document(failed: Failed) -> dict[str, Any]:
    values = asdict(failed).items()
    return {name: instant_text(value) if isinstance(value, datetime) else value for name, value in values}


def _late_document(late: Late) -> dict[str, str]:
    return {"name": late.name, "tick": instant_text(late.tick)}
