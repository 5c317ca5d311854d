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
    "verdict", "beats", "stopped", "trouble", "timeline", "sets", "preview", "drift", "changes", "load", "schedules",
)  # fmt: skip


def sections_of(seen: Seen) -> list[Section]:
    """Return the sections that have something to say; raises what their use cases raise."""
    found = (module.section(seen) for module in _modules())
    return [section for section in found if section is not None]


@cache
def _modules() -> tuple[Any, ...]:
    names = (f"{__name__}.{name}" for name in ORDER)
    return tuple(import_module(name) for name in names if find_spec(name) is not None)
