"""A misspelt key is one mistake: the key that is missing because of it is not reported too."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from itertools import islice

from schedsync.schemas.validator import schedule_keys
from schedsync.schemas.wording import meant_key

#: How many unknown keys of one mapping are looked at: each is compared with all known keys.
_MOST_KEYS = 10


def stands_for(wanted: Collection[str], given: Iterable[str], known: Collection[str]) -> bool:
    """Say whether an unknown key was meant to be one of the wanted keys; that key is reported already."""
    return any(meant_key(key, known) in wanted for key in _unknown(given, known))


def is_misspelt(wanted: Collection[str], given: Collection[str], lookups: Iterator[int]) -> bool:
    """Say the same for the keys of a schedule. Without any of the ``lookups`` left it is false.

    A hostile file has any number of schedules with keys that are all different.
    """
    if not any(True for _ in _unknown(given, schedule_keys())) or next(lookups, None) is None:
        return False
    return any(_meant(key) in wanted for key in _unknown(given, schedule_keys()))


def _unknown(given: Iterable[str], known: Collection[str]) -> Iterator[str]:
    return islice((key for key in given if key not in known and not key.startswith("\0")), _MOST_KEYS)


@lru_cache(maxsize=16384)
def _meant(key: str) -> str | None:
    return meant_key(key, schedule_keys())
