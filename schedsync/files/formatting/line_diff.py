"""Which lines of a file formatting changes, as a unified diff, in a time that grows with its length and not its square.

Formatting never changes the order of the schedules. So the lines between the starts of two of them are compared with
those between the same two of the other text, and with no others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import Match, SequenceMatcher
from itertools import pairwise
from typing import Final

from schedsync.files.formatting.tree import Lines, tree_of
from schedsync.files.line_breaks import without_line_breaks

#: A piece with more lines than this is compared place by place.
_MOST_LINES: Final = 200
_CONTEXT: Final = 3


def line_diff(before: str, after: str) -> Iterator[str]:
    """Yield the lines of a unified diff, without line breaks and the names of the files; none for equal texts."""
    old, new = _lines(before), _lines(after)
    matcher = _PieceMatcher(old, new, _cuts(before, after))
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        first, last = group[0], group[-1]
        yield f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@"
        for tag, start, end, from_, to in group:
            if tag == "equal":
                yield from _marked(" ", old[start:end])
            else:
                yield from _marked("-", old[start:end])
                yield from _marked("+", new[from_:to])


def _lines(text: str) -> list[str]:
    """Return the lines of a text with their line breaks."""
    return [text[start:end] for start, end in pairwise([*Lines(text).starts, len(text)]) if start < end]


def _marked(mark: str, lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        content = line.rstrip("\r\n")
        yield mark + content
        if content == line:
            # The words by which `patch` and Git know it.
            yield "\\ No newline at end of file"


def _range(start: int, end: int) -> str:
    """Return lines as the head of a hunk has them: the number of the first, from 1, and how many there are."""
    return f"{start + 1 if end > start else start},{end - start}"


def _cuts(before: str, after: str) -> list[tuple[int, int]]:
    """Return the lines on which the same schedule begins in both texts, both rising, from 0."""
    cuts = [(0, 0)]
    for here, there in zip(_starts(before), _starts(after), strict=False):
        if here > cuts[-1][0] and there > cuts[-1][1]:
            cuts.append((here, there))
    return cuts


def _starts(text: str) -> list[int]:
    tree = tree_of(without_line_breaks(text.removeprefix("\ufeff"))[0])
    pairs = tree.root.pairs if tree else ()
    return [key.line for name, value in pairs if name.value == "schedules" for key in value.items[::2]]


class _PieceMatcher(SequenceMatcher[str]):
    """Compares two lists of lines as ``SequenceMatcher`` does, but only within the pieces between cuts."""

    def __init__(self, old: Sequence[str], new: Sequence[str], cuts: Sequence[tuple[int, int]]) -> None:
        super().__init__(None, (), ())
        self.a, self.b, self.cuts = old, new, cuts

    def get_matching_blocks(self) -> list[Match]:
        """Return the blocks of equal lines in their order, none next to another, and an empty one at the end."""
        blocks = [Match(0, 0, 0)]
        for (start, from_), (end, to) in pairwise([*self.cuts, (len(self.a), len(self.b))]):
            for here, there, size in _equal(self.a[start:end], self.b[from_:to]):
                last = blocks[-1]
                if (last.a + last.size, last.b + last.size) == (start + here, from_ + there):
                    blocks[-1] = Match(last.a, last.b, last.size + size)
                else:
                    blocks.append(Match(start + here, from_ + there, size))
        return [*blocks, Match(len(self.a), len(self.b), 0)]


def _equal(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """Yield where the lines of two pieces are equal, and how many."""
    if old == new:
        yield 0, 0, len(old)
    elif max(len(old), len(new)) <= _MOST_LINES:
        yield from SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    else:
        shorter = min(len(old), len(new))
        same = next((number for number in range(shorter) if old[number] != new[number]), shorter)
        yield 0, 0, same
        for left in range(shorter - same, 0, -1):
            if old[-left] == new[-left]:
                yield len(old) - left, len(new) - left, 1
