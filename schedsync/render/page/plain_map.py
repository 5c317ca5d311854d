"""A map of the load as SVG without rules: one colour in steps of opacity, so that it fits a light and a dark page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape, quoteattr

from schedsync.render.load.maps import Cell, Picture, ranges, shade_of
from schedsync.render.page.svg import spoken
from schedsync.render.page.timeline import COLOUR, FONT

#: The opacity of each shade.
_OPACITY = (".3", ".46", ".63", ".8", "1")
_LEFT, _TOP, _CELL, _HEIGHT, _GAP, _LEGEND = 84, 20, 22, 20, 2, 34
_LETTER = 6.4


def within_a_page(picture: Picture) -> str:
    """Write a picture in the colours of its page, with its legend below."""
    width = _LEFT + len(picture.columns) * (_CELL + _GAP)
    height = _TOP + len(picture.rows) * (_HEIGHT + _GAP) + _LEGEND
    says = f"{picture.title}. {spoken(picture)}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'role="img" aria-label={quoteattr(says)} fill="currentColor" font-family="{FONT}" font-size="11">',
            f"<title>{escape(says)}</title>",
            *_columns(picture),
            *(line for number, row in enumerate(picture.rows) for line in _row(number, *row, picture.most)),
            *_legend(picture, height - 18),
            "</svg>",
        ]
    )


def _columns(picture: Picture) -> Iterator[str]:
    for number, name in enumerate(picture.columns):
        if number % 3 == 0:
            yield f'<text x="{_LEFT + number * (_CELL + _GAP)}" y="13">{escape(name)}</text>'


def _row(number: int, label: str, cells: Sequence[Cell], most: int) -> Iterator[str]:
    y = _TOP + number * (_HEIGHT + _GAP)
    yield f'<text x="{_LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(label)}</text>'
    for column, cell in enumerate(cells):
        place = f'x="{_LEFT + column * (_CELL + _GAP)}" y="{y}" width="{_CELL}" height="{_HEIGHT}" rx="2"'
        yield f"<rect {place} {_fill(cell.value, most)}><title>{escape(cell.words)}</title></rect>"


def _fill(value: int | None, most: int) -> str:
    if value is None:
        return 'fill="none" stroke="currentColor" stroke-opacity=".3" stroke-dasharray="2 2"'
    shade = shade_of(value, most, len(_OPACITY))
    return f'fill="{COLOUR}" fill-opacity="{_OPACITY[shade - 1]}"' if shade else 'fill-opacity=".07"'


def _legend(picture: Picture, y: int) -> Iterator[str]:
    entries = [(_fill(0, 1), "none")]
    entries += [(_fill(low, picture.most), f"{low:,}" if low == high else f"{low:,} to {high:,}")
                for _, low, high in ranges(picture.most, len(_OPACITY))]  # fmt: skip
    if any(cell.value is None for cell in picture.cells):
        entries.append((_fill(None, 1), "outside of the week"))
    x = 10.0
    for fill, words in entries:
        yield f'<rect x="{x:g}" y="{y}" width="14" height="14" rx="2" {fill}/>'
        yield f'<text x="{x + 19:g}" y="{y + 11}">{escape(words)}</text>'
        x += 19 + _LETTER * len(words) + 12
    yield f'<text x="{x:g}" y="{y + 11}">{escape(picture.unit)}</text>'
