"""Text from outside as code spans of Markdown, which nothing in it can end.

In a code span GitHub links nothing and mentions nobody. Its runner finds no command in a log that shows the span.
"""

from __future__ import annotations

import re
import unicodedata

from schedsync.render.words import RUNNER

#: In characters.
LONGEST_CODE = 300
_FENCES = re.compile("`+")
#: cmark opens no code span with a longer fence than 80.
_LONG_FENCE = re.compile("`{40,}")
#: They look like nothing, and are no control characters.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_HARMLESS = re.compile(r"[A-Za-z0-9_ ,;:.()/+`%→-]*\Z")


def code(text: str, longest: int | None = LONGEST_CODE) -> str:
    """Return text as a code span that nothing in it can end, cut to ``longest`` characters; see also ``cell``."""
    shown = _shown(text, longest)
    if not shown:
        return "_(empty)_"
    fence = "`" * (max((len(run) for run in _FENCES.findall(shown)), default=0) + 1)
    pad = " " if "`" in (shown[0], shown[-1]) or shown[0] == shown[-1] == " " else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def cell(spans: str) -> str:
    """Return code spans as the cell of a table can hold them.

    A table ends a cell at a bar, in code too, unless a single backslash stands before it.
    """
    return spans.replace("\\|", "\\u005c|").replace("|", "\\|")


def _shown(text: str, longest: int | None) -> str:
    cut = text if longest is None or len(text) <= longest else f"{text[: longest - 1]}…"
    if not (cut.isascii() and cut.isprintable()):
        cut = "".join(_visible(one) for one in cut)
    cut = _LONG_FENCE.sub(lambda match: f"\\u0060 × {len(match[0])} ", cut)
    return RUNNER.sub("#\\\\u0023", cut)


def _visible(character: str) -> str:
    hidden = unicodedata.category(character)[0] in "CZ" and character != " "
    if not hidden and character not in _BLANK and not "\ufe00" <= character <= "\ufe0f":
        return character
    return f"\\u{ord(character):04x}" if ord(character) <= 0xFFFF else f"\\U{ord(character):08x}"


def sentence(text: str, *, quoted: bool) -> str:
    """Return a message; as code if it holds text from outside, or anything that Markdown could change."""
    harmless = _HARMLESS.match(text) and "www." not in text and "://" not in text
    return text if harmless and not quoted else code(text)
