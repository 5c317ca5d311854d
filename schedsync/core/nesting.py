"""How deep lists and mappings are nested in each other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def is_deeper(value: Any, depth: int) -> bool:
    """Say whether lists and mappings are nested more than ``depth`` levels deep; needs no recursion."""
    level = [value]
    for _ in range(depth):
        level = [child for parent in level for child in _children(parent) if isinstance(child, (dict, list))]
        if not level:
            return False
    return True


def _children(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
