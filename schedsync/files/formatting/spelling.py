"""The spelling of scalars: words, durations, crontabs, and quotes where they are needed, as in ``files/writer.py``.

A scalar of several lines, with an escape, an anchor or a tag keeps its spelling.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from schedsync.core.timing import Interval, TimingError, duration, instant
from schedsync.files.edits import Edit
from schedsync.files.formatting.roles import DURATIONS, INSTANTS, MERGE, ROOT, Role
from schedsync.files.formatting.tree import Part, Tree
from schedsync.files.scalar import NUMERIC, WORDS, number
from schedsync.files.writer import needs_quotes, quoted

_WORDS: Final = {None: "null", True: "true", False: "false"}
#: A flow value after one of these can lose its quotes; directly after a colon, plain text would be part of the key.
_BEFORE_PLAIN: Final = frozenset(" \t\n\r[{,")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a scalar is: ``field`` is its key in a schedule, empty elsewhere.

    ``is_shared`` says that an alias or a merge key may use it at a place with another meaning. ``is_key`` says that it
    is a key, ``in_flow`` that it is within brackets, and ``in_lines`` that these have several lines.
    """

    role: Role
    field: str = ""
    is_shared: bool = False
    is_key: bool = False
    in_flow: bool = False
    in_lines: bool = False


def spelling_edits(tree: Tree) -> list[Edit]:
    """Return the edits that bring the scalars of a tree into canonical spelling."""
    return list(_edits(tree.root, _Place(ROOT), tree.text))


def _edits(part: Part, place: _Place, text: str) -> Iterator[Edit]:
    if part.kind == "scalar":
        written = text[part.start : part.end]
        wanted = written if _keeps(part, written) else _spelled(part, written, place, text)
        if wanted != written:
            yield Edit(part.start, part.end, wanted)
        return
    is_shared = place.is_shared or bool(part.anchor)
    in_flow = place.in_flow or part.is_flow
    in_lines = part.is_flow and part.line != part.end_line
    place = replace(place, field="", is_shared=is_shared, in_flow=in_flow, in_lines=in_lines)
    if part.kind == "list":
        inner = replace(place, role=Role())
        for item in part.items:
            yield from _edits(item, inner, text)
        return
    of_key = replace(place, is_key=True)
    for key, value in part.pairs:
        yield from _edits(key, of_key, text)
        field = key.value if place.role.has_fields else ""
        yield from _edits(value, replace(place, role=place.role.below(key.value), field=field, is_key=False), text)


def _keeps(part: Part, written: str) -> bool:
    is_on_one_line = part.line == part.end_line and not part.is_block_scalar
    has_escape = part.style == '"' and "\\" in written
    is_name = bool(part.anchor) or part.is_tagged
    return part.is_empty or is_name or has_escape or not is_on_one_line or not part.value.isprintable()


def _spelled(part: Part, written: str, place: _Place, text: str) -> str:
    value = part.value
    if not part.style:
        if value in WORDS:
            return written if place.is_key else _WORDS[WORDS[value]]
        if (place.is_key and value == MERGE) or (value[0] in NUMERIC and number(value)[0] is not value):
            return written
    if not place.is_shared:
        value = canonical_value(value, place.field)
    if place.field == "crontab":
        return quoted(value)
    if _is_plain(part, value, place):
        return value if not part.style or _can_lose_quotes(part, place, text) else written
    return quoted(value)


def _is_plain(part: Part, value: str, place: _Place) -> bool:
    """Say whether a text has no quotes in canonical form."""
    if place.field in INSTANTS:
        return not part.style or _is_instant(value)
    return not needs_quotes(value, in_flow=place.in_flow)


def _is_instant(value: str) -> bool:
    try:
        instant(value)
    except TimingError:
        return False
    return value == value.strip()


def _can_lose_quotes(part: Part, place: _Place, text: str) -> bool:
    if not place.in_lines:
        return True
    before, after = text[part.start - 1], text[part.end : part.end + 2]
    return before in _BEFORE_PLAIN and (not place.is_key or after in (": ", ":\n", ":\r"))


def canonical_value(value: str, field: str) -> str:
    """Return the shortest spelling of a duration, and a crontab with one blank between its fields."""
    if field == "crontab":
        return " ".join(value.split())
    if field not in DURATIONS:
        return value
    try:
        microseconds = duration(value)
    except TimingError:
        return value
    return str(Interval(microseconds)).removeprefix("every ") if microseconds else value
