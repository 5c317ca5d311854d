"""Columns that line up in a terminal, and the beginnings of their lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

_GAP = 2


def at_line_start(text: str) -> str:
    """Return a text as it may begin a line: GitHub's runner takes two colons there for a command."""
    return text.replace("::", "\\u003a:", 1) if text.lstrip().startswith("::") else text


def width_of(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    # Imported only here: a text of the commonest characters needs it not.
    from rich.cells import cell_len

    return cell_len(text)


def cut(text: str, room: int) -> str:
    """Return as much of a text as fits into a number of columns, with a mark where it is cut."""
    if width_of(text) <= room:
        return text
    taken = 0
    for index, character in enumerate(text):
        taken += width_of(character)
        if taken >= room:
            return f"{text[:index]}…"
    return text


def padded(text: str, width: int) -> str:
    """Return a text with blanks at its end, so that it takes a number of columns."""
    return text + " " * (width - width_of(text))


def widths(rows: Iterable[Sequence[str]]) -> list[int]:
    """Return the width of each column."""
    return [max(map(width_of, column)) for column in zip(*rows, strict=True)]


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield rows as lines, in which each column begins at the same place."""
    each = widths(rows)
    for row in rows:
        yield (" " * _GAP).join(map(padded, row, each)).rstrip()


def full_width(rows: Sequence[Sequence[str]]) -> int:
    """Return how wide the longest line of ``aligned`` can be."""
    each = widths(rows)
    return sum(each) + _GAP * (len(each) - 1)
