"""One problem, said once: a value that could not be read, or has the wrong shape, has no meaning to check."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence

from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.files.node import Node


def once(said: Sequence[Finding], more: Sequence[Finding], roots: Mapping[str, Node]) -> list[Finding]:
    """Return the later findings without those of a field of which an earlier error speaks already.

    ``roots`` are the documents by path. A field is what stands under one key of a schedule, or of the defaults.
    """
    errors = [finding for finding in said if finding.severity == "error" and finding.location]
    if not errors or not more:
        return list(more)
    fields = {path: sorted(_keys(root)) for path, root in roots.items()}
    spoken_of = {_field(finding.location, fields) for finding in errors}
    return [
        finding for finding in more if finding.location is None or _field(finding.location, fields) not in spoken_of
    ]


def _keys(root: Node) -> Iterator[tuple[int, int]]:
    """Yield where each key stands, down to the fields of a schedule."""
    for section in _mappings(root):
        for schedule in _mappings(section):
            yield from (schedule.keys or {}).values()
        yield from (section.keys or {}).values()
    yield from (root.keys or {}).values()


def _mappings(node: Node) -> Iterator[Node]:
    if isinstance(node.value, dict):
        yield from (child for child in node.value.values() if isinstance(child.value, dict))


def _field(place: Location | None, fields: Mapping[str, Sequence[tuple[int, int]]]) -> object:
    if place is None:
        return None
    keys = fields.get(place.path, ())
    index = bisect_right(keys, (place.line, place.column)) - 1
    return place.path, keys[index] if index >= 0 else (place.line, place.column)
