"""A terminal as SVG: readable on light and on dark pages, and without fonts from the net."""

from __future__ import annotations

from html import escape
from io import StringIO
from itertools import groupby
from xml.etree import ElementTree

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

#: The background is part of the picture, so the colours are the same on every page.
_BACKGROUND, _FOREGROUND, _GREY = (22, 24, 29), (222, 224, 228), (145, 151, 163)
_COLOURS = [(255, 110, 103), (126, 202, 110), (229, 192, 90), (97, 175, 239), (198, 140, 232), (86, 196, 208)]
THEME = TerminalTheme(
    _BACKGROUND, _FOREGROUND, [_BACKGROUND, *_COLOURS, _FOREGROUND], [_GREY, *_COLOURS, (255, 255, 255)]
)
#: As rich's own format, but with fonts that readers have, and with a title for people who cannot see the picture.
FORMAT = """\
<svg role="img" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<title>TITLE</title>
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace;
  font-size: {char_height}px;
  line-height: {line_height}px;
}}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def svg(name: str, shown: str, columns: int) -> str:
    """Return the picture of a terminal that shows a text with colours."""
    console = Console(record=True, width=columns, file=StringIO(), force_terminal=True, color_system="standard")
    # Rich cuts letters such as `g` off at the end of the last line.
    console.print(Text.from_ansi(f"{shown.rstrip()}\n"), highlight=False)
    title = escape(shown.partition("\n")[0].removeprefix("$ "))
    drawn = console.export_svg(title="", theme=THEME, code_format=FORMAT.replace("TITLE", title), unique_id=name)
    return "".join(f"{line.strip()}\n" for line in drawn.replace("</text><text", "</text>\n<text").splitlines())


def words_of(picture: str) -> list[str]:
    """Return the lines of text in a picture, with one space between two words."""
    texts = ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")
    rows = groupby(texts, key=lambda text: text.get("y"))
    lines = (" ".join(" ".join(text.text or "" for text in row).split()) for _, row in rows)
    return [line for line in lines if line]
