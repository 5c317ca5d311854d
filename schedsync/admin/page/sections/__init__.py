"""The sections of the page, in their order: one module each, whose function ``section`` returns what is shown, or None.

A newcomer finds in this order whether all is well, what is stopped, what changed last, and every schedule.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from schedsync.admin.page.section import Section, Seen

ORDER = (
    "verdict", "beats", "stopped", "trouble", "changes", "timeline", "sets", "preview", "drift", "load", "schedules",
)  # fmt: skip
#: What a search can say, and which page of its result.
SEARCH = ("q", "state", "set", "queue", "p")


def sections_of(seen: Seen) -> list[Section]:
    """Return the sections that have something to say; raises what their use cases raise."""
    found = (module.section(seen) for module in _modules(keys_of(seen)))
    return [section for section in found if section is not None]


def keys_of(seen: Seen) -> tuple[str, ...]:
    """Return which sections a query asks for: the one that it names, those of a search, else all."""
    if seen.only in ORDER:
        return (seen.only,)
    return ("schedules",) if any(seen.query.get(name) for name in SEARCH) else ORDER


@cache
def _modules(keys: tuple[str, ...]) -> tuple[Any, ...]:
    names = (f"{__name__}.{key}" for key in keys)
    return tuple(import_module(name) for name in names if find_spec(name) is not None)
