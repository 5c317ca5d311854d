"""The entries of a Git tree, counted while Git lists them: a small repository can hold trees that list billions."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.errors import InvalidSet
from schedsync.files.bounds import too_large
from schedsync.files.discover import printable_path

#: The modes of entries in Git's trees that are not files.
LINK, SUBMODULE, DIRECTORY = "120000", "160000", "040000"
#: The entries of a tree, directories among them.
MAX_ENTRIES = 100_000
#: The directories above a file.
MAX_DEPTH = 100
#: The characters of all paths of a tree together.
MAX_PATHS = 16 * 2**20
_LONGEST_SHOWN = 200


class Entry(NamedTuple):
    """One entry of a tree, as Git calls it: its mode, and the id of its object."""

    mode: str
    id: str


def bounded_entries(listing: Iterable[tuple[str, Entry]], commit: str) -> dict[str, Entry]:
    """Return the entries of a listing by their paths, without the directories; raises InvalidSet if it is too large."""
    entries: dict[str, Entry] = {}
    length = 0
    for count, (path, entry) in enumerate(listing, 1):
        length += len(path)
        if reason := _excess(count, length, path.count("/")):
            place = Location(printable_path(f"{commit}:{path[:_LONGEST_SHOWN]}"), 1, 1)
            raise InvalidSet([_finding(reason, place)])
        if entry.mode != DIRECTORY:
            entries[path] = entry
    return entries


def _excess(count: int, length: int, depth: int) -> str | None:
    if count > MAX_ENTRIES:
        return f"the tree has more than {MAX_ENTRIES:,} entries"
    if length > MAX_PATHS:
        return f"the paths of the tree have more than {MAX_PATHS:,} characters"
    return f"the tree is nested more than {MAX_DEPTH} levels deep" if depth > MAX_DEPTH else None


def _finding(reason: str, place: Location) -> Finding:
    return too_large(reason, place, "give a directory that holds only schedules")


def entries_of(stream: Any) -> Iterator[tuple[str, Entry]]:
    """Yield the entries of `ls-tree -z` from its output."""
    rest = b""
    while chunk := stream.read1(2**16):
        *lines, rest = (rest + chunk).split(b"\0")
        if len(rest) > MAX_PATHS:
            # The caller refuses it for its length.
            lines = [rest]
        for line in lines:
            details, _, path = os.fsdecode(line).partition("\t")
            mode, _, object_id = details.split(" ")
            yield path, Entry(mode, object_id)
