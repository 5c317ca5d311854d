"""Maps of the load as SVG that loads nothing: within a page, or as a file with a ground and a legend of its own."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

from schedsync.render.load.maps import Cell, Picture, Range, Scale

#: By the class of a cell: its colour, and that of the number in it. Blue falls and orange rises, which people who
#: confuse red with green can tell; what is paler is nearer to the ground in light and in dark.
LIGHT: Mapping[str, tuple[str, str]] = {
    "s0": ("#eef1f4", "#57606a"), "s1": ("#cfe3f5", "#1f2328"), "s2": ("#9cc7ea", "#1f2328"),
    "s3": ("#5b9fd4", "#0b1720"), "s4": ("#2a6fb0", "#ffffff"), "s5": ("#0b3d73", "#ffffff"),
    "f1": ("#b9d7f0", "#1f2328"), "f2": ("#5b9fd4", "#0b1720"), "f3": ("#0b4f96", "#ffffff"),
    "r1": ("#fbd9b0", "#1f2328"), "r2": ("#f0963c", "#1f1300"), "r3": ("#a34700", "#ffffff"),
    "moved": ("#d9d3ea", "#1f2328"),
}  # fmt: skip
DARK: Mapping[str, tuple[str, str]] = {
    "s0": ("#20262d", "#9aa4af"), "s1": ("#173a5c", "#e6edf3"), "s2": ("#1f5a90", "#ffffff"),
    "s3": ("#3a86c8", "#0b1720"), "s4": ("#7db8e8", "#0b1720"), "s5": ("#d3eafc", "#0b1720"),
    "f1": ("#1d3f63", "#e6edf3"), "f2": ("#3a86c8", "#0b1720"), "f3": ("#a9d4f7", "#0b1720"),
    "r1": ("#5a3512", "#ffe9d1"), "r2": ("#c9741f", "#140b00"), "r3": ("#ffc58a", "#1f1300"),
    "moved": ("#463d5c", "#e6edf3"),
}  # fmt: skip
GROUND = {False: ("#ffffff", "#57606a"), True: ("#0d1117", "#9aa4af")}
_FONT = "system-ui, -apple-system, 'Segoe UI', sans-serif"
_LEFT, _TOP, _GAP, _HEIGHT = 76, 20, 2, 18
#: The width of a cell: with room for a number, and without.
_WIDE, _NARROW = 20, 12
_HOURS = 24
#: A number of more characters does not fit into a cell.
_FITS = 3
_LINE, _SWATCH, _LETTER = 22, 14, 6.6


def style() -> str:
    """Return the rules for the maps of a page, and for the swatches of its legends."""
    return f"{_rules(dark=False)}\n@media (prefers-color-scheme: dark) {{\n{_rules(dark=True)}\n}}"


def _rules(*, dark: bool) -> str:
    ink = GROUND[dark][1]
    lines = [
        f".heat text {{ font: 11px {_FONT}; fill: {ink}; }}",
        ".heat text.n { font-size: 10px; text-anchor: middle; }",
        f".heat .out {{ fill: none; stroke: {ink}; stroke-opacity: .45; stroke-dasharray: 2 2; }}",
        f".swatch.out {{ border: 1px dashed {ink}; }}",
    ]
    for css, (ground, number) in (DARK if dark else LIGHT).items():
        lines += [f".heat .{css} {{ fill: {ground}; }} .swatch.{css} {{ background: {ground}; }}"]
        lines += [f".heat text.n.n-{css} {{ fill: {number}; }}"]
    return "\n".join(lines)


def within_a_page(picture: Picture, scale: Scale | None = None) -> str:
    """Write a picture for a page that has the rules and a legend; pictures of one scale can be compared."""
    width, height = _size(picture)
    return _svg(picture, [], _cells(picture, scale or Scale.of(picture)), width, height)


def alone(picture: Picture, *notes: str) -> str:
    """Write a picture as a file: with its title, a ground, and a legend; ``notes`` are words below the title."""
    scale = Scale.of(picture)
    width, height = _size(picture)
    lines = [line for note in notes for line in _in_lines(note, width)]
    above = _LINE * (2 if len(lines) <= 1 else 1 + len(lines))
    legend, below = _legend(scale.legend(picture), picture.unit, width, height + above)
    head = [
        f"<style>{_alone_style()}</style>",
        '<rect class="ground" width="100%" height="100%"/>',
        f'<text class="title" x="10" y="20">{escape(picture.title)}</text>',
        *(f'<text x="10" y="{38 + number * _LINE}">{escape(line)}</text>' for number, line in enumerate(lines)),
        f'<g transform="translate(0 {above})">',
    ]
    return _svg(picture, head, [*_cells(picture, scale), "</g>", *legend], width, below, notes)


def _in_lines(note: str, width: int) -> list[str]:
    """Break a note into lines that a picture has room for, as far as its words let it."""
    return textwrap.wrap(note, int((width - 20) / _LETTER), break_on_hyphens=False)


def _alone_style() -> str:
    light, dark = (
        f".ground {{ fill: {GROUND[is_dark][0]}; }}\n.heat .title {{ font-size: 14px; font-weight: 600; }}"
        for is_dark in (False, True)
    )
    return f"\n{_rules(dark=False)}\n{light}\n@media (prefers-color-scheme: dark) {{\n{_rules(dark=True)}\n{dark}\n}}\n"


def _size(picture: Picture) -> tuple[int, int]:
    width = _LEFT + len(picture.columns) * (_width(picture) + _GAP) + _GAP
    return width, _TOP + len(picture.rows) * (_HEIGHT + _GAP)


def _width(picture: Picture) -> int:
    return _WIDE if len(picture.columns) <= _HOURS else _NARROW


def _svg(picture: Picture, head: list[str], body: list[str], width: int, height: int, notes: Sequence[str] = ()) -> str:
    says = ". ".join([picture.title, spoken(picture), *notes])
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="heat" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img" aria-label={quoteattr(says)}>',
            f"<title>{escape(says)}</title>",
            *head,
            *body,
            "</svg>",
        ]
    )


def spoken(picture: Picture) -> str:
    """Write what a picture shows first of all: its fullest cell, of a difference that of each direction."""
    cells = [cell for cell in picture.cells if cell.value]
    if not cells:
        return "No change" if picture.is_change else "No start"
    fullest = [max(cells, key=_value), *([min(cells, key=_value)] if picture.is_change else [])]
    return "; ".join(dict.fromkeys(cell.words for cell in fullest))


def _value(cell: Cell) -> int:
    return cell.value or 0


def _cells(picture: Picture, scale: Scale) -> list[str]:
    parts: list[str] = []
    pitch, every = _width(picture) + _GAP, 3 if len(picture.columns) <= _HOURS else 5
    for column, name in enumerate(picture.columns):
        if column % every == 0:
            parts.append(f'<text x="{_LEFT + column * pitch}" y="13">{escape(name)}</text>')
    for row, (label, cells) in enumerate(picture.rows):
        y = _TOP + row * (_HEIGHT + _GAP)
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 13}" text-anchor="end">{escape(label)}</text>')
        for column, cell in enumerate(cells):
            parts += _cell(cell, _LEFT + column * pitch, y, pitch - _GAP, scale)
    return parts


def _cell(cell: Cell, x: int, y: int, width: int, scale: Scale) -> Iterator[str]:
    css = scale.css(cell)
    place = f'x="{x}" y="{y}" width="{width}" height="{_HEIGHT}" rx="2"'
    yield f'<rect class="{css}" {place}><title>{escape(cell.words)}</title></rect>'
    if cell.value and width == _WIDE:
        number = f"{cell.value:{'+' if scale.is_change else ''}}".replace("-", "−")
        if len(number) <= _FITS:
            yield f'<text class="n n-{css}" x="{x + width / 2:g}" y="{y + 13}" pointer-events="none">{number}</text>'


def _legend(entries: list[Range], unit: str, width: int, y: int) -> tuple[list[str], int]:
    """Return the legend in as many lines as it needs, and where it ends."""
    parts, x, y = [], 10.0, y + 10
    for css, words in [*entries, ("", unit)]:
        room = (_SWATCH + 6 if css else 0) + _LETTER * len(words) + 14
        if x > 10 and x + room > width:
            x, y = 10.0, y + _LINE
        if css:
            parts.append(f'<rect class="{css}" x="{x:g}" y="{y}" width="{_SWATCH}" height="{_SWATCH}" rx="2"/>')
        parts.append(f'<text x="{x + (_SWATCH + 6 if css else 0):g}" y="{y + 11}">{escape(words)}</text>')
        x += room
    return parts, y + _LINE
