"""A long list of names in few words."""

from __future__ import annotations

from collections.abc import Sequence


def first_names(names: Sequence[str], limit: int) -> str:
    """Return the first ``limit`` names, separated by commas, and the number of the others: "a, b and 3 more"."""
    return ", ".join(names[:limit]) + and_more(len(names), limit)


def and_more(count: int, limit: int) -> str:
    """Return " and 3 more" where ``count`` names are 3 more than ``limit``, "" where all of them are shown."""
    return f" and {count - limit:,} more" if count > limit else ""
