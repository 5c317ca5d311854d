"""Reads a large JSON list an element at a time, so that not all of them are in memory together."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

_BLANKS = re.compile(r"[ \t\n\r]*")


def elements(data: bytes) -> Iterator[Any]:
    """Yield the elements of a JSON list, as ``json.loads`` reads them.

    Raises ValueError where the data is no list, or damaged; the elements before the damage are yielded first. A caller
    who keeps few of many elements lets the others be freed at once: the garbage collector, which looks at each object
    that is alive, would take longer than the parser.
    """
    text = data.decode(json.detect_encoding(data), "surrogatepass")
    read = json.JSONDecoder().raw_decode
    at = _after("[", text, _after("", text, 0))
    more = not text.startswith("]", at)
    while more:
        value, end = read(text, at)
        yield value
        at = _after("", text, end)
        if more := text.startswith(",", at):
            at = _after(",", text, at)
    if _after("]", text, at) != len(text):
        raise ValueError("there is more than one list")


def _after(character: str, text: str, at: int) -> int:
    """Return the place after a character and the blanks that follow it; raises ValueError where it is not there."""
    blanks = _BLANKS.match(text, at + len(character))
    if blanks is None or not text.startswith(character, at):
        raise ValueError(f"no {character} at character {at}")
    return blanks.end()
