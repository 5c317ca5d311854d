"""One problem is reported once: a value that could not be read, or has the wrong shape, is not checked further."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence

from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.files.node import Node


def findings_elsewhere(
    later: Sequence[Finding], earlier: Sequence[Finding], roots: Mapping[str, Node]
) -> list[Finding]:
    """Return the later findings that are not about a field with an earlier error.

    ``roots`` are the documents by path. A field is everything under one key of a schedule, or of the defaults.
    """
    errors = [finding for finding in earlier if finding.severity == "error" and finding.location]
    if not errors or not later:
        return list(later)
    fields = {path: sorted(_key_places(root)) for path, root in roots.items()}
    wrong = {_field(finding.location, fields) for finding in errors}
    return [finding for finding in later if finding.location is None or _field(finding.location, fields) not in wrong]


def _key_places(root: Node) -> Iterator[tuple[int, int]]:
    """Yield line and column of each key, down to the fields of a schedule."""
    for section in _mappings(root):
        for schedule in _mappings(section):
            yield from (schedule.keys or {}).values()
        yield from (section.keys or {}).values()
    yield from (root.keys or {}).values()


def _mappings(node: Node) -> Iterator[Node]:
    if isinstance(node.value, dict):
        yield from (child for child in node.value.values() if isinstance(child.value, dict))


def _field(place: Location | None, fields: Mapping[str, Sequence[tuple[int, int]]]) -> object:
    """Return the path and the place of the key that a place belongs to: of the last key at or before it."""
    if place is None:
        return None
    keys = fields.get(place.path, ())
    index = bisect_right(keys, (place.line, place.column)) - 1
    return place.path, keys[index] if index >= 0 else (place.line, place.column)
