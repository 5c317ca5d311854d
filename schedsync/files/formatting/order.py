"""The order of keys: each key moves with its comments, and whole lines change places.

A mapping whose keys cannot move safely keeps its order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from schedsync.files.formatting.gaps import is_blank, is_comment, is_ignore
from schedsync.files.formatting.roles import ROOT, Role
from schedsync.files.formatting.tree import Part, Tree

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Move:
    """The entries of one mapping that change places: their texts, the new order, and the moves within each of them."""

    spans: Sequence[Span]
    order: Sequence[int]
    inner: Sequence[Sequence[_Move]]


def ordered(tree: Tree) -> str:
    """Return the text of a tree with its keys in canonical order."""
    if tree.has_kept_breaks or tree.has_odd_keys or not tree.text.endswith(("\n", "\r")):
        # A text that ends with blank lines, or with the file, would take over those of its new place.
        return tree.text
    parts: list[str] = []
    _write(tree.text, (0, len(tree.text)), _moves(tree.root, ROOT, tree), parts)
    return "".join(parts)


def _write(text: str, span: Span, moves: Sequence[_Move], parts: list[str]) -> None:
    done, end = span
    for move in moves:
        parts.append(text[done : move.spans[0][0]])
        for slot, index in enumerate(move.order):
            if slot:
                parts.append(text[move.spans[slot - 1][1] : move.spans[slot][0]])
            _write(text, move.spans[index], move.inner[index], parts)
        done = move.spans[-1][1]
    parts.append(text[done:end])


def _moves(part: Part, role: Role, tree: Tree) -> list[_Move]:
    """Return the moves in a part, in the order of the text."""
    if part.kind != "mapping":
        return []
    inner = [_moves(value, role.below(key.value), tree) for key, value in part.pairs]
    order = _order(part, role)
    if order is not None and _may_move(part, tree) and _keeps_anchors(part, order, tree):
        return [_Move(_spans(part, tree), order, inner)]
    return [move for moves in inner for move in moves]


def _order(part: Part, role: Role) -> list[int] | None:
    """Return the entries of a mapping by their ranks; None if nothing is to be moved, or a key is not known."""
    if not role.keys:
        return None
    ranks = [role.rank(key.value) if key.kind == "scalar" and not key.anchor else None for key, _ in part.pairs]
    known = [rank for rank in ranks if rank is not None]
    if len(known) != len(ranks) or known == sorted(known):
        return None
    return sorted(range(len(known)), key=known.__getitem__)


def _may_move(part: Part, tree: Tree) -> bool:
    if part.is_flow:
        return _is_plain_line(part, tree)
    return all(not tree.lines.before(key).strip() for key, _ in part.pairs)


def _is_plain_line(part: Part, tree: Tree) -> bool:
    """Say whether a flow mapping is on one line, and has nothing but a comma between two entries."""
    spans = _flow_spans(part)
    between = (tree.text[end:start].strip() for (_, end), (start, _) in pairwise(spans))
    is_on_one_line = part.line == part.end_line and tree.text[part.start : spans[0][0]].rstrip().endswith("{")
    return is_on_one_line and not any(value.is_empty for _, value in part.pairs) and set(between) <= {","}


def _keeps_anchors(part: Part, order: Sequence[int], tree: Tree) -> bool:
    """Say whether each alias still means the anchor that it means now."""
    if not tree.names:
        return True
    users: dict[str, list[int]] = {}
    defined: set[str] = set()
    for index, pair in enumerate(part.pairs):
        for name, is_anchor in {use for part_ in pair for use in _uses(part_)}:
            users.setdefault(name, []).append(index)
            if is_anchor:
                defined.add(name)
    places = {index: place for place, index in enumerate(order)}
    moved = {name: [places[index] for index in users[name]] for name in defined}
    return all(found == sorted(found) for found in moved.values())


def _uses(part: Part) -> Iterator[tuple[str, bool]]:
    """Yield the name of each anchor and alias in a part, and whether it is an anchor."""
    if part.anchor:
        yield part.anchor, part.kind != "alias"
    for item in part.items:
        yield from _uses(item)


def _spans(part: Part, tree: Tree) -> list[Span]:
    return _flow_spans(part) if part.is_flow else _block_spans(part, tree)


def _flow_spans(part: Part) -> list[Span]:
    return [(key.start, max(key.end, value.end)) for key, value in part.pairs]


def _block_spans(part: Part, tree: Tree) -> list[Span]:
    """Return the text of each entry with its comments, without its last line break."""
    lines, column = tree.lines, part.items[0].column
    firsts, lasts = [_first_line(part, tree)], []
    ends = [max(key.end_line, value.end_line) for key, value in part.pairs]
    for end, key in zip(ends, part.items[2::2], strict=False):
        firsts.append(_leading(end, key.line, column, tree))
        lasts.append(_last_text(end, firsts[-1], tree))
    after = ends[-1] + 1
    while after < len(lines) and _follows(after, column, tree):
        after += 1
    lasts.append(_last_text(ends[-1], after, tree))
    return [(lines.starts[first], lines.ends[last]) for first, last in zip(firsts, lasts, strict=True)]


def _leading(end: int, line: int, column: int, tree: Tree) -> int:
    """Return the first line of the comments above the key at a line; deeper ones belong to the entry before it."""
    return next((each for each in range(end + 1, line) if _leads(each, column, tree)), line)


def _leads(line: int, column: int, tree: Tree) -> bool:
    return is_comment(tree, line) and (tree.lines.indent(line) <= column or is_ignore(tree, line))


def _last_text(end: int, before: int, tree: Tree) -> int:
    """Return the last line before another one that is not blank."""
    return next((line for line in range(before - 1, end, -1) if not is_blank(tree, line)), end)


def _follows(line: int, column: int, tree: Tree) -> bool:
    """Say whether a line after the last entry is blank, or a comment deeper than the entries."""
    return is_blank(tree, line) or (is_comment(tree, line) and not _leads(line, column, tree))


def _first_line(part: Part, tree: Tree) -> int:
    """Return the line where the first entry of a mapping begins.

    Comments above a blank line are about the whole mapping. All comments at the start of a file are about the file,
    unless a blank line divides them.
    """
    key = first = part.items[0].line
    while first and is_comment(tree, first - 1):
        first -= 1
    above = first
    while above and (is_blank(tree, above - 1) or is_comment(tree, above - 1)):
        above -= 1
    if part is not tree.root or any(is_comment(tree, line) for line in range(above, first)):
        return first
    while key and is_ignore(tree, key - 1):
        key -= 1
    return key
