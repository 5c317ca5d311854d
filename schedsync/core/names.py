"""Names: which ones a set can have; long lists of names, long texts, and numbers of things in few words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

#: In characters. The schema of the configuration and the column of the ledger have the same limit.
MAX_SET_NAME = 100
_DIGITS = frozenset("0123456789")


def natural_order(name: str) -> tuple[list[tuple[bool, int, str]], str]:
    """Return the key that sorts names as people do: `sync-2` before `sync-10`, and `Mail` between `load` and `news`."""
    parts = [(is_text, "".join(part)) for is_text, part in groupby(name.casefold(), lambda each: each not in _DIGITS)]
    # A longer number is a larger one; `int` refuses the longest.
    key = [(True, 0, part) if is_text else (False, len(part.lstrip("0")), part.lstrip("0")) for is_text, part in parts]
    return key, name


def first_names(names: Sequence[str], limit: int) -> str:
    """Return the first ``limit`` names, separated by commas, and the number of the others: "a, b and 3 more"."""
    return ", ".join(names[:limit]) + and_more(len(names), limit)


def and_more(count: int, limit: int) -> str:
    """Return " and 3 more" where ``count`` names are 3 more than ``limit``, "" where all of them are shown."""
    return f" and {count - limit:,} more" if count > limit else ""


def counted(count: int, what: str, many: str | None = None) -> str:
    """Write a number of things: "1 tick", "2 ticks"; ``many`` is for a plural that is not formed by an "s"."""
    return f"{count:,} {what if count == 1 else many or f'{what}s'}"


def shortened(value: object, most: int = 60) -> str:
    """Return a value as text for a message: on one line, and cut after ``most`` characters."""
    text = str(value)
    line = " ".join(text[: most + 1].splitlines())
    return line if len(text) <= most else f"{line[:most]}…"


def set_name_problem(name: str) -> str | None:
    """Return what is wrong with the name of a set, as the end of a sentence; None where nothing is."""
    if not name.strip() or not name.isprintable():
        return "takes printable characters"
    return f"takes at most {MAX_SET_NAME} characters" if len(name) > MAX_SET_NAME else None
