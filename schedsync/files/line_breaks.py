"""Line breaks: YAML 1.2 knows only LF and CR, PyYAML reads YAML 1.1 and breaks lines at three more characters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice

_ONLY_YAML_1_1 = "\x85\u2028\u2029"
_FOUND = re.compile(f"[{_ONLY_YAML_1_1}]")
_LINE_END = re.compile("\r\n|\n|\r")
_PRIVATE_USE = range(0xE000, 0xF900)


def without_line_breaks(text: str) -> tuple[str, Callable[[str], str] | None]:
    """Replace the characters that break lines in YAML 1.1 only; returns the text, and how to get them back, if any.

    Each becomes one private-use character that the text does not hold, so that lines and columns stay what an editor
    shows.
    """
    if not _FOUND.search(text):
        return text, None
    present = set(text)
    free = islice((code for code in _PRIVATE_USE if chr(code) not in present), len(_ONLY_YAML_1_1))
    forth = dict(zip(map(ord, _ONLY_YAML_1_1), free, strict=False))
    back = {replacement: code for code, replacement in forth.items()}
    return text.translate(forth), lambda value: value.translate(back)


def each_line(text: str) -> Iterator[str]:
    """Yield the lines of a text, as an editor shows them."""
    start = 0
    for end in _LINE_END.finditer(text):
        yield text[start : end.start()]
        start = end.end()
    yield text[start:]
