"""The list of schedules, and the matrix of environments, as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timezone, tzinfo

from schedsync.core.listing import ListedSchedule, Listing, Matrix, MatrixRow
from schedsync.core.schedule import Spec
from schedsync.core.timing import Crontab, moment, zone_of
from schedsync.render.terminal.columns import aligned, at_line_start, full_width
from schedsync.render.terminal.paint import Paint, plain
from schedsync.render.terminal.pauses import standing_text
from schedsync.render.timing_words import timing_words
from schedsync.render.words import counted, printable

_COLOURS = {
    "ok": "green",
    "paused": "yellow",
    "held": "yellow",
    "drifted": "yellow",
    "rolled-back": "yellow",
    "disabled": "dim",
    "completed": "dim",
    "unmanaged": "cyan",
    "removing": "red",
}
#: Between the parts of a line that is too narrow for columns.
_SEPARATOR = " · "
#: A cell of the next or the last run that begins with one of these is no time alone.
_WORDS = ("deleted after ", "due since ", "skipped ")


def listing_text(value: Listing, paint: Paint = plain, width: int | None = None) -> str:
    """Write one line for each schedule, or two where the terminal is too narrow, and the counts below them."""
    lines = [paint(printable(value.full_pause.text(value.at)), "yellow")] if value.full_pause else []
    lines += [paint(standing_text(pause, value.at), "yellow") for pause in value.standing]
    if value.schedules:
        lines += _table(value, paint, width)
    return "\n".join(map(at_line_start, [*lines, counts_text(value)]))


def counts_text(value: Listing) -> str:
    """Write how many schedules there are, and how many in each state."""
    if not value.schedules:
        return "No schedule"
    counts = ", ".join(f"{count:,} {state}" for state, count in value.counts().items())
    return f"{counted(len(value.schedules), 'schedule')}: {counts}"


def _table(value: Listing, paint: Paint, width: int | None) -> Iterator[str]:
    zone = common_zone(value.schedules)
    until = value.full_pause.until if value.full_pause else None
    rows = [cells(schedule, value.at, zone, until) for schedule in value.schedules]
    table = [["state", "name", "timing", f"next run, {zone}", "last run", "owner"], *rows]
    if width is None or full_width(table) <= width:
        lines = list(aligned(table))
        yield paint(lines[0], "bold")
        for line, row in zip(lines[1:], rows, strict=True):
            yield paint(row[0], _COLOURS[row[0]]) + line[len(row[0]) :]
        return
    yield paint(f"State, name, timing, next and last run ({zone}), owner", "bold")
    for state, name, *rest in rows:
        yield f"{paint(state, _COLOURS[state])}  {paint(name, 'bold')}"
        timing, following, last, owner = rest
        parts = [timing, _labelled("next", following), _labelled("last", last), owner]
        yield f"    {_SEPARATOR.join(filter(None, parts))}"


def _labelled(label: str, text: str) -> str:
    """Write which run a time is of: without columns nothing else says it. Words of its own say it already."""
    is_time = not text.startswith(_WORDS)
    return f"{label} {text}" if text and is_time else text


def common_zone(schedules: Sequence[ListedSchedule]) -> tzinfo:
    """Return the zone of all crontabs, UTC where they differ."""
    timings = {schedule.spec.timing for schedule in schedules if schedule.spec is not None}
    zones = {timing.timezone: zone_of(timing) for timing in timings if isinstance(timing, Crontab)}
    return next(iter(zones.values())) if len(zones) == 1 else timezone.utc


def cells(schedule: ListedSchedule, at: datetime, zone: tzinfo, paused_until: datetime | None) -> list[str]:
    """Write one schedule as state, name, timing, next and last run, and owner; all is paused until ``paused_until``."""
    spec = schedule.spec
    timing = printable(schedule.problem or "") if spec is None else timing_words(spec.timing)
    if spec is not None and schedule.problem:
        timing = f"{timing} ({printable(schedule.problem)})"
    if schedule.opened is not None:
        timing = f"{timing} (open for editing)"
    name, following = printable(schedule.name), _next(schedule, at, zone, paused_until)
    return [schedule.state, name, timing, following, _last(schedule, at, zone), _owner(schedule)]


def _next(schedule: ListedSchedule, at: datetime, zone: tzinfo, paused_until: datetime | None) -> str:
    if schedule.removing is not None and schedule.state == "removing":
        return f"deleted after {moment(schedule.removing.until, zone, at)}"
    if schedule.state == "paused" and schedule.pause is not None:
        until = schedule.pause.until
        return f"after {moment(until, zone, at)}" if until else "after `schedsync resume`"
    if schedule.state == "paused" and paused_until is not None:
        return f"after {moment(paused_until, zone, at)}"
    if schedule.due is not None:
        return f"due since {moment(schedule.due, zone, at)}"
    return moment(schedule.next_run, zone, at) if schedule.next_run else ""


def _last(schedule: ListedSchedule, at: datetime, zone: tzinfo) -> str:
    if schedule.last_run is None:
        return ""
    last = schedule.last_run
    if last.skipped:
        return f"skipped {moment(last.at, zone, at)}"
    return moment(last.at, zone, at) + ("" if last.late is None else f", {last.late:.2f} s late")


def _owner(schedule: ListedSchedule) -> str:
    return printable(schedule.people.owner or "")


def matrix_text(value: Matrix, paint: Paint = plain, width: int | None = None) -> str:
    """Write one line for each schedule and a column for each environment; below them what is not known."""
    lines: list[str] = []
    if value.rows:
        lines += _matrix_table(value, paint, width)
    lines.append(_matrix_counts(value))
    lines += [paint(printable(message), "yellow") for message in value.unexpanded]
    return "\n".join(lines)


def _matrix_counts(value: Matrix) -> str:
    differing = sum(row.differs for row in value.rows)
    return f"{counted(len(value.rows), 'schedule')}, {differing:,} not the same in all environments"


def _matrix_table(value: Matrix, paint: Paint, width: int | None) -> Iterator[str]:
    rows = [
        [at_line_start(printable(row.name)), *(_cell(row.specs[name]) for name in value.environments), _fields(row)]
        for row in value.rows
    ]
    table = [["name", *value.environments, "other fields that differ"], *rows]
    if width is None or full_width(table) <= width:
        lines = list(aligned(table))
        yield paint(lines[0], "bold")
        yield from lines[1:]
        return
    for name, *cells in rows:
        yield paint(name, "bold")
        for head, cell in zip(table[0][1:], cells, strict=True):
            if cell:
                yield f"    {head}  {cell}"


def _cell(spec: Spec | None) -> str:
    if spec is None:
        return "absent"
    return timing_words(spec.timing) + ("" if spec.enabled else ", disabled")


def _fields(row: MatrixRow) -> str:
    return ", ".join(field for field in row.differing if field not in ("timing", "enabled"))
