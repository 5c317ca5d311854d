"""Text from outside as code spans of Markdown, which nothing in it can end.

In a code span GitHub links nothing and mentions nobody.
"""

from __future__ import annotations

import re
import unicodedata

_LONGEST_CODE = 300
_FENCES = re.compile("`+")
#: cmark opens no code span with a longer fence than 80.
_LONG_FENCE = re.compile("`{40,}")
#: They look like nothing, and are no control characters.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_HARMLESS = re.compile(r"[A-Za-z0-9_ ,;:.()/+`%→-]*\Z")


def code(text: str) -> str:
    """Return text as a code span that nothing in it can end, and that a table's cell can hold."""
    shown = _shown(text)
    if not shown:
        return "_(empty)_"
    longest = max((len(run) for run in _FENCES.findall(shown)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if "`" in (shown[0], shown[-1]) or shown[0] == shown[-1] == " " else ""
    # A table ends a cell at a bar, in code too, unless a single backslash stands before it.
    return f"{fence}{pad}{shown.replace('|', chr(92) + '|')}{pad}{fence}"


def _shown(text: str) -> str:
    cut = text if len(text) <= _LONGEST_CODE else f"{text[: _LONGEST_CODE - 1]}…"
    if not (cut.isascii() and cut.isprintable()):
        cut = "".join(_visible(one) for one in cut)
    cut = _LONG_FENCE.sub(lambda match: f"\\u0060 × {len(match[0])} ", cut)
    return cut.replace("\\|", "\\u005c|")


def _visible(character: str) -> str:
    hidden = unicodedata.category(character)[0] in "CZ" and character != " "
    if not hidden and character not in _BLANK and not "\ufe00" <= character <= "\ufe0f":
        return character
    return f"\\u{ord(character):04x}" if ord(character) <= 0xFFFF else f"\\U{ord(character):08x}"


def sentence(text: str, *, quoted: bool) -> str:
    """Return a message; as code if it holds text from outside, or anything that Markdown could change."""
    harmless = _HARMLESS.match(text) and "www." not in text and "://" not in text
    return text if harmless and not quoted else code(text)
