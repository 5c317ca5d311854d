"""Text made of blocks that has to fit into a limit: each block keeps some room, and says what it had to leave out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace

#: The share of the limit that each later block keeps for its first rows.
_SHARE = 12
#: The characters of the sentences that say what is missing.
_NOTICE = 700


@dataclass(frozen=True, slots=True)
class Row:
    """One line, and how many schedules or findings a reader misses without it.

    Where several rows may be about the same schedules, ``names`` tells which: each counts once. Rows of the lowest
    ``rank`` are kept first. Rows of one ``kind`` are alike: of each kind some are kept.
    """

    text: str
    count: int = 1
    kind: Hashable = None
    names: Sequence[str] = ()
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    """Rows between lines that always stay; ``unit`` is the word for what the rows are about.

    A block with ``is_kept`` is shown as a whole, however little room there is.
    """

    rows: Sequence[Row]
    head: Sequence[str] = ()
    foot: Sequence[str] = ()
    unit: str = "schedule"
    is_kept: bool = False

    def lines(self) -> Iterator[str]:
        """Yield all lines."""
        yield from self.head
        yield from (row.text for row in self.rows)
        yield from self.foot


def lines(*texts: str) -> Block:
    """Return a block of lines."""
    return Block([Row(text, 0) for text in texts], unit="line")


@dataclass
class _Room:
    """The room that is left, and what was left out so far."""

    left: int
    size: Callable[[str], int]
    missing: Counter[str] = field(default_factory=Counter)
    names: set[str] = field(default_factory=set)

    def need(self, texts: Sequence[str] | Iterator[str]) -> int:
        return sum(self.size(text) + 1 for text in texts)


def fitted(blocks: Sequence[Block], limit: int, where: str, size: Callable[[str], int] = len) -> str:
    """Put blocks together; the first is shown in any case, and ``where`` is said after it if anything is left out.

    ``size`` measures a text.
    """
    text = "\n".join(line for block in blocks for line in block.lines()).rstrip() + "\n"
    if size(text) <= limit:
        return text
    room = _Room(limit - _NOTICE - size(where), size)
    needs = [room.need(block.lines()) for block in blocks]
    kept: list[list[str]] = []
    for number, block in enumerate(blocks):
        later = sum(
            need if each.is_kept else min(need, limit // _SHARE)
            for each, need in zip(blocks[number + 1 :], needs[number + 1 :], strict=True)
        )
        fits = number == 0 or block.is_kept or needs[number] <= room.left - later
        shown = list(block.lines()) if fits else _cut(block, room, room.left - later)
        room.left -= room.need(shown)
        kept.append(shown)
    kept[1:1] = [[f"**{_missing(room.missing)} left out here, because not everything fits.** {where}", ""]]
    return "\n".join(line for shown in kept for line in shown).rstrip() + "\n"


def _cut(block: Block, room: _Room, available: int) -> list[str]:
    """Return the rows of a block that fit, and how many do not."""
    left = available - room.need([*block.head, *block.foot]) - _NOTICE // 2
    rows: list[Row] = []
    for row in _fair(block.rows):
        left -= room.size(row.text) + 1
        if left < 0:
            break
        rows.append(row)
    missing = _count_missing(block, rows, room)
    note = [f"… and {_counted(missing, block.unit)} more", ""] if missing else []
    if not rows:
        return note
    return [*replace(block, rows=rows, foot=()).lines(), "", *note, *block.foot]


def _count_missing(block: Block, kept: Sequence[Row], room: _Room) -> int:
    """Count what the rows of a block that are not kept are about, and add it to what is missing in all."""
    left_out = _fair(block.rows)[len(kept) :]
    names = {name for row in left_out for name in row.names}
    count = sum(row.count for row in left_out if not row.names)
    room.missing[block.unit] += count + len(names - room.names)
    room.names |= names
    return count + len(names)


def _fair(rows: Sequence[Row]) -> list[Row]:
    """Return the rows by rank, and so that the first of each kind come first, then the second of each, and so on."""
    seen: Counter[Hashable] = Counter()
    ranked: list[tuple[tuple[int, int], Row]] = []
    for row in rows:
        ranked.append(((row.rank, seen[row.kind]), row))
        seen[row.kind] += 1
    return [row for _, row in sorted(ranked, key=lambda pair: pair[0])]


def _missing(missing: Counter[str]) -> str:
    counts = [_counted(count, unit) for unit, count in missing.items() if count]
    return f"{' and '.join(counts) or 'Some lines'} are"


def _counted(count: int, unit: str) -> str:
    return f"{count:,} {unit if count == 1 else f'{unit}s'}"
