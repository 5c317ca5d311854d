"""The load picture: a week by the hour and its worst day by the minute, for terminals and as SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from schedsync.calendar.load import Load
from schedsync.calendar.window import MINUTES_A_DAY

_SHADES = " ·░▒▓█"
_CELL, _GAP, _LEFT, _TOP, _BOTTOM = 14, 2, 56, 18, 24


@dataclass(frozen=True, slots=True)
class Picture:
    """Cells in rows: each the starts of its time, and the words that say when that is."""

    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[tuple[int, str]]]]

    @property
    def most(self) -> int:
        """The fullest cell."""
        return max((count for _, cells in self.rows for count, _ in cells), default=0)


def week(load: Load) -> Picture:
    """Return the week: a row for each day, a cell for the worst minute of each hour."""
    days = [load.minute(index) for index in range(0, len(load.total), MINUTES_A_DAY)]
    rows = []
    for number, day in enumerate(days):
        cells = []
        for hour in range(24):
            first = number * MINUTES_A_DAY + 60 * hour
            worst = max(load.total[first : first + 60], default=0)
            starts = sum(load.total[first : first + 60])
            cells.append((worst, f"{day:%a %d %b} {hour:02}:00 UTC: {starts:,} starts, {worst:,} in the worst minute"))
        rows.append((f"{day:%a %d}", cells))
    return Picture("Worst minute of each hour, UTC", [f"{hour:02}" for hour in range(24)], rows)


def worst_day(load: Load) -> Picture:
    """Return the day with the worst minute: a row for each hour, a cell for each minute."""
    index = max(range(len(load.total)), key=lambda one: load.total[one], default=0)
    start = index // MINUTES_A_DAY * MINUTES_A_DAY
    day = load.minute(start)
    rows = []
    for hour in range(24):
        at = start + 60 * hour
        counts = [*load.total[at : at + 60], *[0] * 60][:60]
        cells = [(count, f"{hour:02}:{minute:02} UTC: {count:,} starts") for minute, count in enumerate(counts)]
        rows.append((f"{hour:02}", cells))
    return Picture(f"Starts in each minute of {day:%a %d %b}, UTC", [f"{minute:02}" for minute in range(60)], rows)


def text(picture: Picture) -> Iterator[str]:
    """Yield a picture as lines for a terminal, and what its shades mean."""
    yield picture.title
    width = len(picture.rows[0][0]) if picture.rows else 0
    double = len(picture.columns) <= 24
    step = 3 if double else 10
    ticks = "".join(f"{name:<{step * (2 if double else 1)}}" for name in picture.columns[::step])
    yield f"  {'':>{width}}  {ticks}".rstrip()
    most = picture.most
    for label, cells in picture.rows:
        said = "".join(_SHADES[_shade(count, most)] * (2 if double else 1) for count, _ in cells)
        yield f"  {label:>{width}}  {said}".rstrip()
    if most:
        steps = [(shade, _least(shade, most)) for shade in range(1, len(_SHADES))]
        legend = "  ".join(f"{_SHADES[shade]} {least:,}" for shade, least in steps if _shade(least, most) == shade)
        yield f"  {'':>{width}}  from {legend}"


def _shade(count: int, most: int) -> int:
    """Return 0 for none, and 1 to 5 for a share of the most."""
    return 0 if not count else min(5, 1 + (5 * (count - 1)) // max(most, 1))


def _least(shade: int, most: int) -> int:
    """Return the least count of a shade; of a higher one where no count has this shade."""
    return min(most, 1 - (1 - shade) * most // 5)


STYLE = """
.heat text { font: 11px system-ui, sans-serif; fill: #57606a; }
.heat .s0 { fill: #eef1f4; } .heat .s1 { fill: #cfe3f5; } .heat .s2 { fill: #9cc7ea; }
.heat .s3 { fill: #5b9fd4; } .heat .s4 { fill: #2a6fb0; } .heat .s5 { fill: #0b3d73; }
@media (prefers-color-scheme: dark) {
  .heat text { fill: #9aa4af; }
  .heat .s0 { fill: #20262d; } .heat .s1 { fill: #173a5c; } .heat .s2 { fill: #1f5a90; }
  .heat .s3 { fill: #3a86c8; } .heat .s4 { fill: #7db8e8; } .heat .s5 { fill: #d3eafc; }
}
"""


def svg(picture: Picture, *, styled: bool = True, most: int | None = None) -> str:
    """Write a picture as SVG that loads nothing; ``most`` makes two pictures comparable, by one scale."""
    top = picture.most if most is None else most
    width = _LEFT + len(picture.columns) * (_CELL + _GAP)
    height = _TOP + len(picture.rows) * (_CELL + _GAP) + _BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="heat" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" '
        f"aria-label={quoteattr(picture.title)}>",
        f"<title>{escape(picture.title)}</title>",
    ]
    if styled:
        parts.append(f"<style>{STYLE}</style>")
    every = 3 if len(picture.columns) <= 24 else 5
    for column, name in enumerate(picture.columns):
        if column % every == 0:
            parts.append(f'<text x="{_LEFT + column * (_CELL + _GAP)}" y="12">{escape(name)}</text>')
    for row, (label, cells) in enumerate(picture.rows):
        y = _TOP + row * (_CELL + _GAP)
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 11}" text-anchor="end">{escape(label)}</text>')
        parts += [_cell(column, y, count, words, top) for column, (count, words) in enumerate(cells)]
    return "\n".join([*parts, *_legend(top, height - _CELL), "</svg>"])


def _legend(most: int, y: int) -> Iterator[str]:
    """Yield what the colours stand for."""
    x = _LEFT
    for shade in range(len(_SHADES)):
        least = _least(shade, most) if shade else 0
        if _shade(least, most) == shade:
            words = f"{least:,}" if shade in (0, 5) or most == least else f"from {least:,}"
            yield f'<rect class="s{shade}" x="{x}" y="{y}" width="{_CELL}" height="{_CELL}" rx="2"/>'
            yield f'<text x="{x + _CELL + 4}" y="{y + 11}">{words}</text>'
            x += _CELL + 20 + 7 * len(words)


def _cell(column: int, y: int, count: int, words: str, most: int) -> str:
    x = _LEFT + column * (_CELL + _GAP)
    place = f'x="{x}" y="{y}" width="{_CELL}" height="{_CELL}" rx="2"'
    return f'<rect class="s{_shade(count, most)}" {place}><title>{escape(words)}</title></rect>'


def span(load: Load) -> str:
    """Write from when to when a load picture reaches."""
    since, end = load.window.since, load.window.end
    return f"{since:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
