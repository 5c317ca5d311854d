"""A misspelt key is one mistake: the key that is missing because of it is not reported too."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from schedsync.schemas.validator import schedule_keys
from schedsync.schemas.wording import meant_key


def is_misspelt(wanted: Collection[str], given: Iterable[str], known: Collection[str] | None = None) -> bool:
    """Say whether an unknown key was meant to be one of the wanted keys; the check of the shape reports that key.

    ``known`` are the keys that are allowed, by default those of a schedule.
    """
    allowed = schedule_keys() if known is None else known
    return any(key not in allowed and not key.startswith("\0") and meant_key(key, allowed) in wanted for key in given)
