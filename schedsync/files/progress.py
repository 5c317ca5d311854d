"""Progress of long work: each step is a line of text for a function, which by default shows nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

#: Takes the step that begins now, such as ``reading 120 of 1,000 files``; it replaces the step before.
Progress = Callable[[str], None]


def silent(_step: str) -> None:
    """Show nothing."""


def each(items: Sequence[T], verb: str, noun: str, progress: Progress) -> Iterator[T]:
    """Yield items, and report before each item the number of items that are done."""
    for done, item in enumerate(items):
        progress(f"{verb} {done:,} of {len(items):,} {noun}")
        yield item
