"""A forecast in a terminal: a table of schedules, or each run of a few, and the load below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone, tzinfo

from schedsync.calendar.forecast import Forecast, Outlook
from schedsync.calendar.words import common_zone, moment
from schedsync.core.timing import Crontab, zone_of
from schedsync.render.changes.cells import SEPARATOR, instants
from schedsync.render.load.sentences import crowd_text, load_sentence, queue_lines, unplaced_text
from schedsync.render.terminal.columns import aligned, at_line_start, full_width
from schedsync.render.terminal.maps import maps
from schedsync.render.terminal.paint import Paint, plain
from schedsync.render.terminal.timeline import timeline
from schedsync.render.timing_words import timing_words
from schedsync.render.words import counted, printable

#: The table shows this many runs of each schedule.
NEXT = 2
#: Without a name, this many schedules are shown.
SHOWN = 50
_HEAD = "bold"


@dataclass(frozen=True, slots=True)
class View:
    """How a forecast is shown.

    ``width`` is the number of columns, None where lines may have any length. ``most`` is the number of schedules that
    are shown, None for all. With ``each_run`` all runs are listed. Instants far from ``now`` have their year.
    """

    width: int | None = None
    most: int | None = SHOWN
    each_run: bool = False
    with_maps: bool = False
    now: datetime | None = None


def text(value: Forecast, paint: Paint = plain, view: View = View()) -> str:  # it cannot change
    """Write the next runs in the zones of the schedules, and below them the load of a week; or else the timeline."""
    if not value.outlooks:
        return "the set holds no schedule"
    if value.timeline is not None:
        return "\n".join(timeline(value.timeline, paint, view.width))
    shown = value.outlooks if view.most is None else value.outlooks[: view.most]
    if view.each_run:
        lines = [line for outlook in shown for line in (*_each_run(outlook, value, view, paint), "")]
    else:
        lines = [*_table(shown, value, view, paint), ""]
    if hidden := len(value.outlooks) - len(shown):
        lines[-1:] = [
            f"and {counted(hidden, 'more schedule')} (name some, such as `'sync-*'`, or list all: --verbose)",
            "",
        ]
    return "\n".join([*lines, *_load(value, view, paint)])


def _each_run(outlook: Outlook, value: Forecast, view: View, paint: Paint) -> Iterator[str]:
    yield f"{paint(_name(outlook), 'bold')}  {timing_words(outlook.timing)}, {printable(outlook.frequency)}"
    if outlook.counted_from is not None and outlook.runs:
        counted_from = f"{moment(outlook.counted_from, now=view.now)} UTC"
        unknown = ", because its last run is not known (--against)" if value.is_assumed(outlook) else ""
        yield f"  counted from {counted_from}{unknown}"
    if not outlook.runs:
        yield "  no run"
        return
    zone = zone_of(outlook.timing)
    zones: Sequence[tzinfo] = [timezone.utc] if str(zone) == "UTC" else [zone, timezone.utc]
    rows = [[str(each) for each in zones], *([moment(run, each, view.now) for each in zones] for run in outlook.runs)]
    yield from (f"  {line}" for line in aligned(rows))
    if rest := value.rest_text(outlook):
        yield f"  {rest}"


def _table(shown: Sequence[Outlook], value: Forecast, view: View, paint: Paint) -> Iterator[str]:
    zone = common_zone(each.timing for each in shown)
    rows = [_row(each, value, zone, view.now) for each in shown]
    head = f"next two, {zone}" if zone else "next two"
    table = [["name", "timing", "runs", head], *rows]
    if view.width is None or full_width(table) <= view.width:
        lines = list(aligned(table))
        yield paint(lines[0], _HEAD)
        yield from lines[1:]
        return
    yield paint(f"Next two runs{f', {zone}' if zone else ''}", _HEAD)
    for name, timing, frequency, runs in rows:
        yield f"{paint(name, 'bold')}  {timing}"
        yield f"    {frequency}, {runs}"


def _name(outlook: Outlook) -> str:
    return at_line_start(printable(outlook.name))


def _row(outlook: Outlook, value: Forecast, zone: tzinfo | None, now: datetime | None) -> list[str]:
    timing = outlook.timing
    # The column of the runs has the zone.
    words = timing_words(replace(timing, timezone="UTC") if isinstance(timing, Crontab) else timing)
    frequency, _, reason = outlook.frequency.partition(": ")
    if value.is_assumed(outlook) and outlook.runs:
        return [_name(outlook), words, frequency, "from its last run"]
    own = zone or zone_of(timing)
    next_runs = SEPARATOR.join(instants(outlook.runs[:NEXT], own, now, with_dates=True))
    runs = next_runs or f"no run{reason and f': {printable(reason)}'}"
    return [_name(outlook), words, frequency, runs if zone or not outlook.runs else f"{runs} {own}"]


def _load(value: Forecast, view: View, paint: Paint) -> Iterator[str]:
    zone = common_zone(each.timing for each in value.outlooks) or timezone.utc
    yield paint(load_sentence(value.load), _HEAD)
    if unplaced := unplaced_text(value.load):
        yield f"  {unplaced}"
    yield from (f"  {crowd_text(crowd, zone, view.now)}" for crowd in value.crowds)
    yield from (f"  {line}" for line in queue_lines(value.load))
    if view.with_maps and any(value.load.besides_steady):
        yield ""
        yield from maps(value.load, view.width)
    elif any(value.load.besides_steady):
        yield f"{'' if value.crowds else 'No minute stands out '}(--map draws the week)"
