"""Maps of the load: a week by the hour, its worst day by the minute, and the difference of two weeks.

What starts in every minute is left out: it would hide the peaks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from schedsync.calendar.load import Load
from schedsync.calendar.window import MINUTES_A_DAY
from schedsync.calendar.words import MONTHS, WEEKDAYS, moment
from schedsync.core.names import first_names
from schedsync.render.words import counted

#: How many shades a map of the load has, and how many each direction of a difference has.
_SHADES, _SHADES_OF_CHANGE = 5, 3
_HOURS = tuple(f"{hour:02}" for hour in range(24))
_NAMED = 5


class Cell(NamedTuple):
    """A number, None outside of the window, and words that say when and what it is.

    ``moved`` marks an hour with as many starts as before, in other minutes.
    """

    value: int | None
    words: str
    moved: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """Cells in rows, each row a whole day or hour; ``unit`` is what their numbers count."""

    title: str
    unit: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]
    is_change: bool = False

    @property
    def cells(self) -> Iterator[Cell]:
        """All cells."""
        return (cell for _, row in self.rows for cell in row)

    @property
    def most(self) -> int:
        """The fullest cell; of a difference the largest one in either direction."""
        return max((abs(cell.value or 0) for cell in self.cells), default=0)


class Range(NamedTuple):
    """One entry of a legend: the class of its cells, and what they have in common."""

    css: str
    words: str


@dataclass(frozen=True, slots=True)
class Scale:
    """Which numbers have one shade; pictures with the same scale can be compared."""

    most: int
    is_change: bool = False

    @classmethod
    def of(cls, *pictures: Picture) -> Scale:
        """Return a scale that reaches to the fullest cell of all pictures."""
        return cls(max(picture.most for picture in pictures), pictures[0].is_change)

    @property
    def _shades(self) -> int:
        return _SHADES_OF_CHANGE if self.is_change else _SHADES

    def css(self, cell: Cell) -> str:
        """Return the class of a cell."""
        if cell.value is None:
            return "out"
        if not cell.value:
            return "moved" if cell.moved else "s0"
        shade = shade_of(abs(cell.value), self.most, self._shades)
        return f"{'s' if not self.is_change else 'r' if cell.value > 0 else 'f'}{shade}"

    def legend(self, *pictures: Picture) -> list[Range]:
        """Return what the shades stand for; of those without a number only what the pictures contain."""
        found = ranges(self.most, self._shades)
        used = {self.css(cell) for picture in pictures for cell in picture.cells}
        if self.is_change:
            falls = [Range(f"f{shade}", _range_text(-high, -low)) for shade, low, high in reversed(found)]
            rises = [Range(f"r{shade}", _range_text(low, high, sign="+")) for shade, low, high in found]
            falls, rises = ([each for each in side if used & {end.css for end in side}] for side in (falls, rises))
            shades = [*falls, Range("s0", "no change"), *rises]
        else:
            shades = [Range("s0", "none"), *(Range(f"s{shade}", _range_text(low, high)) for shade, low, high in found)]
        others = [Range("moved", "other minutes of the hour"), Range("out", "outside of the week")]
        return [*shades, *(each for each in others if each.css in used)]


def ranges(most: int, shades: int) -> list[tuple[int, int, int]]:
    """Return the shades with the least and the largest number of each: together they are 1 to the most."""
    found = [
        (shade, -(-(shade - 1) * most // shades) + 1, -(-shade * most // shades)) for shade in range(1, shades + 1)
    ]
    return [(shade, low, high) for shade, low, high in found if low <= high]


def shade_of(count: int, most: int, shades: int) -> int:
    """Return 0 for none, else the shade whose range has a number."""
    return min(shades, 1 + shades * (count - 1) // most) if count and most else 0


def _range_text(low: int, high: int, sign: str = "") -> str:
    least, largest = (f"{number:{sign},}".replace("-", "−") for number in (low, high))
    return least if low == high else f"{least} to {largest}"


def week(load: Load) -> Picture:
    """Return the week: a row for each day, a cell for the worst minute of each hour."""
    besides = " besides the steady ones" if load.steady.names else ""
    return Picture(
        "Worst minute of each hour, UTC",
        "starts per minute",
        _HOURS,
        [(_day(day), [_hour(load, first, besides) for first in hours]) for day, hours in _days(load)],
    )


def _days(load: Load) -> Iterator[tuple[datetime, range]]:
    """Yield the days that a window touches, each with the first minutes of its hours."""
    for first in range(0, len(load.total), MINUTES_A_DAY):
        yield load.minute(first), range(first, first + MINUTES_A_DAY, 60)


def _inside(load: Load, first: int, counts: Sequence[int]) -> Sequence[int]:
    """Return the numbers of the minutes of an hour that are inside of the window."""
    return counts[max(first, load.window.first) : max(first + 60, load.window.first)]


def _hour(load: Load, first: int, besides: str) -> Cell:
    minutes, at = _inside(load, first, load.besides_steady), _at(load.minute(first))
    if not minutes:
        return Cell(None, f"{at}: outside of the week")
    starts = counted(sum(minutes), "start")
    return Cell(max(minutes), f"{at}: {starts}{besides}, {max(minutes):,} in the worst minute")


def _at(instant: datetime) -> str:
    return f"{moment(instant, now=instant)} UTC"


def _day(day: datetime) -> str:
    return f"{WEEKDAYS[day.weekday()]} {day.day} {MONTHS[day.month - 1]}"


def worst_day(load: Load) -> Picture:
    """Return the day with the worst minute: a row for each hour, a cell for each minute."""
    counts = load.besides_steady

    def weight(index: int) -> tuple[int, bool]:
        # Of equal minutes, one of a day that is wholly inside of the window: its picture says more.
        first = index // MINUTES_A_DAY * MINUTES_A_DAY
        return counts[index], load.window.first <= first <= len(counts) - MINUTES_A_DAY

    index = max(range(load.window.first, len(counts)), key=weight, default=0)
    start = index // MINUTES_A_DAY * MINUTES_A_DAY
    rows = []
    for hour in range(24):
        at = start + 60 * hour
        rows.append((f"{hour:02}", [_minute(load, at + minute, f"{hour:02}:{minute:02} UTC") for minute in range(60)]))
    title = f"Starts in each minute of {_day(load.minute(start))}, UTC"
    return Picture(title, "starts per minute", [f"{minute:02}" for minute in range(60)], rows)


def _minute(load: Load, index: int, at: str) -> Cell:
    if not load.window.first <= index < len(load.total):
        return Cell(None, f"{at}: outside of the week")
    count = load.besides_steady[index]
    return Cell(count, f"{at}: {counted(count, 'start')}")


def difference(before: Load, after: Load) -> Picture:
    """Return where the load of a week rises or falls: a cell for the starts of each hour."""
    rows = [(_day(day), [_changed_hour(before, after, first) for first in hours]) for day, hours in _days(after)]
    return Picture("Starts of each hour, after against before, UTC", "starts per hour", _HOURS, rows, is_change=True)


def _changed_hour(before: Load, after: Load, first: int) -> Cell:
    old, new = (_inside(load, first, load.besides_steady) for load in (before, after))
    at = _at(after.minute(first))
    if not new:
        return Cell(None, f"{at}: outside of the week")
    worst = f"worst minute {max(old, default=0):,} → {max(new):,}"
    words = f"{at}: {sum(old):,} → {counted(sum(new), 'start')}, {worst}"
    return Cell(sum(new) - sum(old), words, moved=list(old) != list(new))


def differs(before: Load, after: Load) -> bool:
    """Say whether the load differs: of any minute, of any queue, what starts in every minute or at an unknown one."""
    return maps_differ(before, after) or before.queues != after.queues or before.unplaced != after.unplaced


def maps_differ(before: Load, after: Load) -> bool:
    """Say whether the load of any minute differs, or what starts in every minute."""
    return before.total != after.total or before.steady != after.steady


def steady_text(load: Load) -> str:
    """Write what starts in every minute, which no map shows; empty if nothing does."""
    if not load.steady.names:
        return ""
    return f"and {load.steady.a_minute:,} a minute, steadily: {first_names(load.steady.names, _NAMED)}"
