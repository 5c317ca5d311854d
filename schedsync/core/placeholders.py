"""Puts the placeholders of a ``for_each`` back into values, so that equal changes of its schedules can be compared.

Two values with the same text are the same value for each schedule: literal braces are doubled, as in the files.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from schedsync.core.schedule import Template

#: A placeholder in place of a whole number; JSON has no unquoted text.
_NUMBER = re.compile(r'"\{#([^{}"\\]*)\}"')
#: A shorter text is not looked for within a word: it would be found in too many.
_SHORTEST_PART = 3

_Values = tuple[tuple[str, Any], ...]


def put_back(value: Any, template: Template) -> Any:
    """Return a JSON value with the placeholders in place of their values; the same object if it contains none."""
    texts, numbers = _sorted_values(template.values, tuple(type(filled) for _, filled in template.values))
    found = _Search(texts, numbers)
    result = found.within(value)
    return result if found.hits else value


@lru_cache(maxsize=1024)
def _sorted_values(values: _Values, _types: tuple[type, ...]) -> tuple[list[tuple[str, str]], dict[int, str]]:
    """Return the texts of values with their names, the longest first, and the names of whole numbers.

    The types are part of the cache's key: 1 and true are equal, but are not written alike.
    """
    texts = sorted(
        ((str(filled), name) for name, filled in values if str(filled)), key=lambda pair: len(pair[0]), reverse=True
    )
    return texts, {filled: name for name, filled in values if type(filled) is int}


class _Search:
    """One search for the values of placeholders; ``hits`` counts those found."""

    def __init__(self, texts: list[tuple[str, str]], numbers: dict[int, str]) -> None:
        self.texts, self.numbers, self.hits = texts, numbers, 0

    def within(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, dict):
            return {key: self.within(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.within(item) for item in value]
        if type(value) is int and value in self.numbers:
            self.hits += 1
            return f"{{#{self.numbers[value]}}}"
        return value

    def _text(self, text: str) -> str:
        """Return a text with its placeholders, those of the longest values first."""
        pieces: list[tuple[str, bool]] = [(text, False)]
        for value, name in self.texts:
            if value not in text:
                continue
            divided: list[tuple[str, bool]] = []
            for piece, is_placeholder in pieces:
                parts = [piece] if is_placeholder else _divided(piece, value)
                self.hits += len(parts) - 1
                divided.append((parts[0], is_placeholder))
                for part in parts[1:]:
                    divided += [(f"{{{name}}}", True), (part, False)]
            pieces = divided
        return "".join(piece if is_placeholder else _escaped(piece) for piece, is_placeholder in pieces)


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _divided(text: str, value: str) -> list[str]:
    """Return the parts of a text around a value that is a word of it, or its beginning or its end."""
    parts, start, at = [], 0, text.find(value)
    while at >= 0:
        end = at + len(value)
        if not (text[at - 1 : at].isalnum() or text[end : end + 1].isalnum()):
            parts.append(text[start:at])
            start = end
        at = text.find(value, max(start, at + 1))
    parts.append(text[start:])
    if len(parts) > 1 or (len(value) < _SHORTEST_PART and not value.isdigit()):
        return parts
    if text.endswith(value):
        return [text[: -len(value)], ""]
    return ["", text[len(value) :]] if text.startswith(value) else parts


def unquoted(text: str) -> str:
    """Return JSON text in which a placeholder in place of a number has no quotes."""
    return _NUMBER.sub(r"{\1}", text)
