"""The load as a map of characters: a week by the hour, and its worst day by the minute; steady load is left out."""

from __future__ import annotations

from collections.abc import Iterator

from schedsync.calendar.load import Load
from schedsync.calendar.window import MINUTE, MINUTES_A_DAY
from schedsync.calendar.words import WEEKDAYS, moment

_SHADES = "░▒▓█"
_NONE, _OUTSIDE = "·", " "
#: The rows of a day by the minute are this wide; a narrower terminal gets two minutes in one character.
_DAY_WIDTH = 70


def timeline(load: Load, width: int | None = None) -> Iterator[str]:
    """Yield the lines of the map; nothing where no minute has a start besides steady load."""
    most = max(load.besides_steady, default=0)
    if not most:
        return
    steady = f", without the steady {load.steady.a_minute:,}" if load.steady.names else ""
    yield f"Starts in the worst minute of each hour, UTC{steady}"
    ticks = (f"{hour:02}".ljust(6) for hour in range(0, 24, 3))
    yield f"  {'':6}  {''.join(ticks)}".rstrip()
    for day in range(0, len(load.total), MINUTES_A_DAY):
        at = load.minute(day)
        cells = (_cell(load, day + 60 * hour, 60, most) * 2 for hour in range(24))
        yield f"  {WEEKDAYS[at.weekday()]} {at.day:2}  {''.join(cells)}".rstrip()
    yield f"  {'':6}  {_legend(most)}"
    yield ""
    yield from _worst_day(load, most, 1 if width is None or width >= _DAY_WIDTH else 2)


def _worst_day(load: Load, most: int, minutes: int) -> Iterator[str]:
    """Yield the day with the worst minute: a row for each hour, a character for each minute or two."""
    start = load.besides_steady.index(most) // MINUTES_A_DAY * MINUTES_A_DAY
    day = moment(load.minute(start), now=load.window.since).rpartition(" ")[0]
    yield f"Starts in {'each minute' if minutes == 1 else 'the worst of two minutes'} of {day}, UTC"
    ticks = (f":{minute:02}".ljust(10 // minutes) for minute in range(0, 60, 10))
    yield f"  {'':6}  {''.join(ticks)}".rstrip()
    for hour in range(24):
        first = start + 60 * hour
        cells = (_cell(load, first + minute, minutes, most) for minute in range(0, 60, minutes))
        yield f"  {hour:02}:00   {''.join(cells)}".rstrip()


def _cell(load: Load, first: int, minutes: int, most: int) -> str:
    since = (load.window.since - load.window.start) // MINUTE
    begin, end = max(first, since), min(first + minutes, len(load.total))
    if begin >= end:
        return _OUTSIDE
    return _shade(max(load.besides_steady[begin:end]), most)


def _shade(count: int, most: int) -> str:
    return _SHADES[-(-len(_SHADES) * count // most) - 1] if count else _NONE


def _legend(most: int) -> str:
    """Write the range of each shade; the last ends with the most starts."""
    size = len(_SHADES)
    firsts = [number * most // size + 1 for number in range(size + 1)]
    parts = [_range(shade, first, after - 1) for shade, first, after in zip(_SHADES, firsts, firsts[1:], strict=False)]
    return "  ".join([f"{_NONE} none", *filter(None, parts), "(blank: not in this week)"])


def _range(shade: str, first: int, last: int) -> str:
    if first > last:
        return ""
    return f"{shade} {first:,}" if first == last else f"{shade} {first:,} to {last:,}"
