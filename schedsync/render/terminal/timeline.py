"""A timeline in a terminal: a line of cells for each lane, by queue, in a width of 60 to 100 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from schedsync.calendar.timeline import Lane, Timeline
from schedsync.core.timing import WEEKDAYS
from schedsync.render.load import lanes as words
from schedsync.render.terminal.columns import at_line_start, cut, padded, width_of
from schedsync.render.terminal.paint import Paint, plain

_NONE, _POINT, _BAND, _LASTS, _UNKNOWN = "·", "●", "▒", "━", "░"
_MEANINGS = {
    _POINT: "a run",
    _LASTS: "as long as it takes",
    _BAND: "runs close together",
    _UNKNOWN: "at unknown minutes",
}
#: In columns.
_NARROWEST, _WIDEST, _LONGEST_NAME, _MARGINS = 60, 100, 26, 6
#: In columns: what is kept for the words of a lane, in a terminal of at least so many columns, and in a narrower one.
_WIDE, _WORDS, _FEW_WORDS = 80, 18, 12
#: In minutes. A cell has one of these lengths, so that whole hours begin at a cell.
_LENGTHS = (10, 15, 20, 30, 60, 120, 180, 240, 360, 720, 1440)


@dataclass(frozen=True, slots=True)
class _Grid:
    """Cells of one length from an instant on."""

    start: datetime
    length: timedelta
    cells: int

    def cell(self, at: datetime) -> int:
        """Return the number of the cell that an instant is in; it may lie outside of the grid."""
        return (at - self.start) // self.length


def timeline(value: Timeline, paint: Paint = plain, width: int | None = None) -> Iterator[str]:
    """Yield the lines of a timeline; ``width`` is that of the terminal, None where there is none."""
    columns = _WIDEST if width is None else max(_NARROWEST, min(width, _WIDEST))
    names = max((width_of(words.lane_name(lane)) for lane in value.lanes), default=0)
    names = min(names, _LONGEST_NAME, columns // 4)
    grid = _grid(value, columns - names - (_WORDS if columns >= _WIDE else _FEW_WORDS) - _MARGINS)
    room = columns - names - grid.cells - _MARGINS
    yield paint(words.title(value), "bold")
    if not value.queues:
        yield "no schedule runs in this time"
    used: set[str] = set()
    for queue in value.queues:
        yield ""
        head = f"{words.queue_name(queue)}: {words.queue_words(queue, value)}"
        yield paint(at_line_start(cut(head, columns)), "bold")
        yield f"  {'':{names}}  {_ticks(value, grid)}".rstrip()
        for lane in (*queue.lanes, *([queue.rest] if queue.rest else [])):
            cells = _cells(lane, grid)
            used.update(cells)
            name = padded(cut(words.lane_name(lane), names), names)
            yield f"  {name}  {cells}  {cut(words.lane_words(lane, value), room)}".rstrip()
    yield ""
    meant = [f"{each} {meaning}" for each, meaning in _MEANINGS.items() if each in used]
    if meant:
        yield from _wrapped("   ".join([*meant, f"a cell is {_length(grid.length)}"]), columns)
    for note in words.notes(value):
        yield from _wrapped(note, columns)


def _grid(value: Timeline, room: int) -> _Grid:
    """Return the shortest cells that fit into a number of columns."""
    midnight = value.start.astimezone(value.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    for length in (timedelta(minutes=minutes) for minutes in _LENGTHS):
        begin = midnight + (value.start - midnight) // length * length
        cells = -((begin - value.end) // length)
        if cells <= room:
            break
    return _Grid(begin, length, cells)


def _ticks(value: Timeline, grid: _Grid) -> str:
    """Return a line with the hours, or the days of a long timeline, above their cells."""
    line = ""
    is_long = grid.length >= timedelta(hours=3)
    for cell in range(grid.cells):
        at = (grid.start + cell * grid.length).astimezone(value.zone)
        if at.minute or (at.hour if is_long else at.hour % 2) or (line and len(line) + 2 > cell):
            continue
        label = f"{WEEKDAYS[at.weekday()]} {at.day}" if is_long else f"{at.hour:02}"
        line = line.ljust(cell) + label
    return line


def _cells(lane: Lane, grid: _Grid) -> str:
    cells = [_UNKNOWN if lane.unplaced else _NONE] * grid.cells
    if lane.running_since is not None:
        _draw(cells, _LASTS, grid, lane.running_since, lane.seconds)
    for stretch in lane.stretches:
        first, last = grid.cell(stretch.first), grid.cell(stretch.last)
        if stretch.first == stretch.last:
            _draw(cells, _LASTS, grid, stretch.first, lane.seconds)
            cells[first] = _BAND if cells[first] in (_POINT, _BAND) else _POINT
        else:
            cells[first : last + 1] = _BAND * (last + 1 - first)
    return "".join(cells)


def _draw(cells: list[str], sign: str, grid: _Grid, start: datetime, seconds: float | None) -> None:
    """Draw how long a run takes into the cells that have nothing else; they end with the timeline."""
    if seconds is None and start >= grid.start:
        return
    last = grid.cell(start + timedelta(seconds=min(seconds or 0, grid.cells * grid.length.total_seconds())))
    for cell in range(max(0, grid.cell(start)), min(max(0, last) + 1, grid.cells)):
        if cells[cell] in (_NONE, _UNKNOWN):
            cells[cell] = sign


def _length(length: timedelta) -> str:
    minutes = round(length / timedelta(minutes=1))
    return f"{minutes} minutes" if minutes < 60 else words.seconds_text(60 * minutes)


def _wrapped(text: str, columns: int) -> Iterator[str]:
    yield from textwrap.wrap(text, columns, break_long_words=False, break_on_hyphens=False)
