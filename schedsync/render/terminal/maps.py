"""The load as maps of characters: a week by the hour, and its worst day by the minute; steady load is left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from schedsync.calendar.load import Load
from schedsync.render.load.maps import Picture, ranges, shade_of, week, worst_day

#: A character for none, and one for each shade.
_CHARACTERS = "·░▒▓█"
_SHADES = len(_CHARACTERS) - 1
_OUTSIDE = " "
#: In columns: what a row has beside its label and its cells.
_MARGINS = 4
_HOURS = 24


def maps(load: Load, width: int | None = None) -> Iterator[str]:
    """Yield the lines of both maps for a terminal of some width; nothing where all load is steady."""
    if any(load.besides_steady):
        yield from picture_lines(week(load), width)
        yield ""
        yield from picture_lines(worst_day(load), width)


def picture_lines(picture: Picture, width: int | None = None) -> Iterator[str]:
    """Yield a picture as lines, and what its shades mean; at a small width its cells are smaller."""
    label = max((len(label) for label, _ in picture.rows), default=0)
    columns = len(picture.columns)
    room = 2 * columns if width is None else width - label - _MARGINS
    twice = 2 if columns <= _HOURS and 2 * columns <= room else 1
    merged = 1 if columns <= room else 2
    step = 3 if columns <= _HOURS else 10
    ticks = "".join(f"{name:<{step * twice // merged}}" for name in picture.columns[::step])
    yield f"{picture.title}{' (two in one)' if merged > 1 else ''}"
    yield f"  {'':>{label}}  {ticks}".rstrip()
    for name, cells in picture.rows:
        values = [cell.value for cell in cells]
        together = [values[first : first + merged] for first in range(0, columns, merged)]
        shown = "".join(_character(values, picture.most) * twice for values in together)
        yield f"  {name:>{label}}  {shown}".rstrip()
    beside = None if width is None else width - label - _MARGINS
    yield from (f"  {'':>{label}}  {line}" for line in _legend(picture, beside))


def _character(values: Sequence[int | None], most: int) -> str:
    known = [value for value in values if value is not None]
    return _CHARACTERS[shade_of(max(known), most, _SHADES)] if known else _OUTSIDE


def _legend(picture: Picture, room: int | None) -> Iterator[str]:
    """Yield the meaning of each shade, in lines that fit into a number of columns; None for any."""
    shades = ranges(picture.most, _SHADES)
    said = [f"{_CHARACTERS[shade]} {low:,}{f' to {high:,}' if high > low else ''}" for shade, low, high in shades]
    line = f"{_CHARACTERS[0]} none"
    for part in [*said[:-1], " ".join([*said[-1:], picture.unit])]:
        if room is not None and len(line) + 2 + len(part) > room:
            yield line
            line = part
        else:
            line = f"{line}  {part}"
    yield line
    if any(cell.value is None for cell in picture.cells):
        yield "blank: outside of the week"
