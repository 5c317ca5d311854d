"""Which items of two long lists are the same, in a time that grows with their length and not with its square."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import Match, SequenceMatcher

#: Between two anchors no more pairs are compared: such items count as replaced.
_MOST_PAIRS = 250_000


class Matcher(SequenceMatcher[str]):
    """Compares two lists of texts as ``SequenceMatcher`` does, but only between their anchors.

    An anchor is an item that each list has once, in the same order as the other anchors.
    """

    def __init__(self, before: Sequence[str], after: Sequence[str]) -> None:
        super().__init__(None, (), (), autojunk=False)
        self.a, self.b = before, after

    def get_matching_blocks(self) -> list[Match]:
        """Return the blocks that are the same, in their order and none next to another, then an empty one."""
        blocks: list[Match] = []
        for start, from_, size in self._pieces():
            last = blocks[-1] if blocks else Match(0, 0, 0)
            if (last.a + last.size, last.b + last.size) == (start, from_):
                blocks[-1:] = [Match(last.a, last.b, last.size + size)]
            else:
                blocks.append(Match(start, from_, size))
        return [*blocks, Match(len(self.a), len(self.b), 0)]

    def _pieces(self) -> Iterator[tuple[int, int, int]]:
        start, from_ = 0, 0
        for here, there in [*_anchors(self.a, self.b), (len(self.a), len(self.b))]:
            for one, other, size in _between(self.a[start:here], self.b[from_:there]):
                yield start + one, from_ + other, size
            if here < len(self.a):
                yield here, there, 1
            start, from_ = here + 1, there + 1


def _anchors(before: Sequence[str], after: Sequence[str]) -> list[tuple[int, int]]:
    """Return the places of the most items that both lists have once and in the same order."""
    counts, places = Counter(before), {item: place for place, item in enumerate(after)}
    once = Counter(after)
    pairs = [(here, places[item]) for here, item in enumerate(before) if counts[item] == 1 == once[item]]
    # The longest rising sequence: `ends` has the smallest last place of each length, `chain` how each place is reached.
    ends: list[int] = []
    chain: list[tuple[int, int, int]] = []
    last_of: list[int] = []
    for number, (here, there) in enumerate(pairs):
        length = bisect_left(ends, there)
        ends[length : length + 1] = [there]
        last_of[length : length + 1] = [number]
        chain.append((here, there, last_of[length - 1] if length else -1))
    result: list[tuple[int, int]] = []
    number = last_of[-1] if last_of else -1
    while number >= 0:
        here, there, number = chain[number]
        result.append((here, there))
    return result[::-1]


def _between(before: Sequence[str], after: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """Yield the blocks that are the same between two anchors: at the beginning, at the end, and between these."""
    shorter = min(len(before), len(after))
    head = next((number for number in range(shorter) if before[number] != after[number]), shorter)
    rest = shorter - head
    tail = next((number for number in range(rest) if before[-1 - number] != after[-1 - number]), rest)
    one, other = before[head : len(before) - tail], after[head : len(after) - tail]
    if head:
        yield 0, 0, head
    if len(one) * len(other) <= _MOST_PAIRS:
        matcher = SequenceMatcher(None, one, other, autojunk=False)
        yield from ((head + block.a, head + block.b, block.size) for block in matcher.get_matching_blocks()[:-1])
    if tail:
        yield len(before) - tail, len(after) - tail, tail
