"""Where a key of an agent's configuration is: Python's reader of TOML keeps no positions."""

from __future__ import annotations

from collections.abc import Sequence

_AGENT, _FOLLOW = "[agent]", "[[agent.follow]]"


def position_of(text: str, place: Sequence[str | int]) -> tuple[int, int]:
    """Return the line and the column of a key, from 1; else of its table, else of the beginning.

    ``place`` are the keys and the indexes that lead to it, such as `agent`, `follow`, 1, `interval`.
    """
    header, number, keys = _AGENT, 0, place[1:]
    if len(place) > 2 and isinstance(place[2], int):
        header, number, keys = _FOLLOW, place[2], place[3:]
    lines = text.splitlines()
    headers = [index for index, line in enumerate(lines) if _table(line) == header]
    if number >= len(headers):
        return 1, 1
    start = headers[number]
    for index in range(start + 1, len(lines)):
        if _table(lines[index]) is not None:
            break
        if keys and lines[index].partition("=")[0].strip(" \t\"'") == keys[0]:
            return index + 1, len(lines[index]) - len(lines[index].lstrip()) + 1
    return start + 1, 1


def _table(line: str) -> str | None:
    """Return the header of a table without blanks, or None for another line."""
    words = line.partition("#")[0].replace(" ", "").replace("\t", "")
    return words if words.startswith("[") and words.endswith("]") and "=" not in words else None
