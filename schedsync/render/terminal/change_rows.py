"""The values of a change as rows of a terminal: a label and the text behind it, each instant and timing once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from schedsync.calendar.words import in_utc, moment, rates, zone_name
from schedsync.core.change import Change, Consequence, FieldChange
from schedsync.core.timing import Timing, zone_of
from schedsync.render.changes.cells import timings
from schedsync.render.changes.folding import Group
from schedsync.render.terminal.paint import Paint
from schedsync.render.words import printable, value_text

#: Consequences that are written as a row, if they are the same for all members.
ROWS = frozenset({"next_run_moves", "frequency", "more_often"})


class Row(NamedTuple):
    """One line below a change."""

    label: str
    text: str


def is_disabling(change: Change) -> bool:
    """Say whether a change disables a schedule; the line of its name says so then."""
    return any(field.field == "enabled" and field.after is False for field in change.fields)


def field_rows(group: Group, paint: Paint) -> Iterator[Row]:
    """Yield each field that an edit changes."""
    change = group.first
    is_new = change.row is None or change.row.spec is None
    for field in group.fields:
        if field.field == "enabled" and is_disabling(change):
            continue
        cause = (
            "" if field.cause == "files" or change.cause == field.cause else f"  {paint(f'[{field.cause}]', 'yellow')}"
        )
        if field.field == "timing":
            yield Row("timing", (timing_text(group, paint) if is_new else _moved_timing(group, field, paint)) + cause)
            continue
        before, after = group.moved(field)
        yield Row(field.field, (after if is_new else f"{before} → {after}") + cause)


def timing_text(group: Group, paint: Paint) -> str:
    """Write the timing of what is created or deleted: in words, with the crontab as it is written."""
    field = next((field for field in group.first.fields if field.field == "timing"), None)
    if field is None:
        return ""
    value, written = (field.before, 0) if field.after is None else (field.after, 1)
    if _differs_by_member(group):
        return group.moved(field)[written]
    cron = _crontab(group.first, field, written)
    return _words(value) + (f" {paint(f'({cron})', 'dim')}" if cron else "")


def _moved_timing(group: Group, field: FieldChange, paint: Paint) -> str:
    if _differs_by_member(group):
        return " → ".join(group.moved(field))
    words = timings(field.before, field.after)
    if words is None:
        return " → ".join(group.moved(field))
    before, after = words
    crons = [cron for written in (0, 1) if (cron := _crontab(group.first, field, written))]
    return f"{before} → {after}" + (f"   {paint('(' + ' → '.join(crons) + ')', 'dim')}" if crons else "")


def timing_values(group: Group, field: FieldChange) -> tuple[str, str]:
    """Write the timing before and after: in words, with the crontab as it is written."""
    if _differs_by_member(group):
        return group.moved(field)
    before, after = (
        _words(form) + (f" ({cron})" if (cron := _crontab(group.first, field, written)) else "")
        for written, form in enumerate((field.before, field.after))
    )
    return before, after


def _differs_by_member(group: Group) -> bool:
    """Say whether an `H` gives each member a minute of its own."""
    return len(group.members) > 1 and any(group.first.hashed) and bool(group.detail(group.first))


def _words(form: Any) -> str:
    if isinstance(form, dict) and all(isinstance(value, str) for value in form.values()):
        return _words_of(tuple(form.items()))
    return _written(form)


@lru_cache(maxsize=4096)
def _words_of(items: tuple[tuple[str, str], ...]) -> str:
    return _written(dict(items))


def _written(form: Any) -> str:
    _, words = timings(None, form) or (None, None)
    return words or value_text("timing", form)


def _crontab(change: Change, field: FieldChange, written: int) -> str:
    """Return the crontab before (0) or after (1) as it is written, where that is known."""
    form = (field.before, field.after)[written]
    crontab = form.get("crontab") if isinstance(form, dict) else None
    return printable(change.hashed[written] or str(crontab)) if crontab else ""


def consequence_row(change: Change, each: Consequence, now: datetime, paint: Paint) -> Row | None:
    """Return a consequence as a row; None where it needs a sentence."""
    spec = change.after
    if spec is None:
        return None
    if each.code == "next_run_moves" and each.at is not None and each.instead_of is not None:
        is_said = any(field.field == "timing" for field in change.fields)
        return Row("next run", _moved_run(each.instead_of, each.at, spec.timing, now, paint, is_said=is_said))
    if each.code in ("frequency", "more_often"):
        before = change.row.spec.timing if change.row and change.row.spec and not change.row.spec.one_off else None
        text = rates(before, spec.timing)
        often = f", {each.message.removeprefix('runs ').partition(':')[0]} (SS222)" if each.code == "more_often" else ""
        return Row("runs", paint(f"{text}{often}", "yellow") if often else text)
    return None


def _moved_run(was: datetime, will: datetime, timing: Timing, now: datetime, paint: Paint, *, is_said: bool) -> str:
    """Write the next run before and after in the zone of the schedule, with the zone unless the timing has said it."""
    zone, name = zone_of(timing), zone_name(timing)
    text = f"{moment(was, zone, now)} → {moment(will, zone, now)}"
    if name == "UTC":
        return f"{text} UTC"
    utc = paint(f"({in_utc(was, timing, now)} → {in_utc(will, timing, now)} UTC)", "dim")
    return f"{text}{'' if is_said else f' {name}'}   {utc}"
