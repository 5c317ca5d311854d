"""Edits of a text at known places; everything between them stays as it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """The text between two offsets becomes another; the offsets are in characters of the file's text."""

    start: int
    end: int
    text: str


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """Return a text with all edits made; raises ValueError where two of them overlap, or one lies outside the text."""
    parts: list[str] = []
    position = 0
    for edit in sorted(edits, key=lambda each: (each.start, each.end)):
        if not position <= edit.start <= edit.end <= len(text):
            raise ValueError(f"an edit from {edit.start} to {edit.end} overlaps another one, or the end of the text")
        parts += (text[position : edit.start], edit.text)
        position = edit.end
    return "".join([*parts, text[position:]])
