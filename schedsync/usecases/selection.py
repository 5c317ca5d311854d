"""Selects schedules: by their names or patterns of names, or by a selector."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from schedsync.core.adoption import matches
from schedsync.core.finding import did_you_mean
from schedsync.core.names import and_more, shortened
from schedsync.core.selector import Candidate, Selector, Unmatched, selector_text
from schedsync.errors import WrongUsage

T = TypeVar("T")
#: How many values that fit no schedule a message names.
NAMED = 5
#: Looking for a similar name among more than this takes too long.
MOST_SIMILAR = 10_000
#: How a message ends, by the kind of the value.
_MISSING = {
    "name": "is named",
    "glob": "fits",
    "set": "belongs to the set",
    "queue": "has the queue",
    "owner": "has the owner",
    "label": "has the label",
}


def check_patterns(names: Iterable[str], patterns: Sequence[str]) -> None:
    """Raise WrongUsage for a pattern that matches none of the names: a typing error selects nothing silently."""
    known = list(names)
    for pattern in patterns:
        if not any(is_selected(name, [pattern]) for name in known):
            raise WrongUsage(f"no schedule is named `{shortened(pattern)}`", hint=did_you_mean(pattern, known))


def selected(schedules: Mapping[str, T], patterns: Sequence[str]) -> dict[str, T]:
    """Return the schedules whose names match one of the patterns, all without a pattern; raises WrongUsage."""
    check_patterns(schedules, patterns)
    return {name: schedule for name, schedule in schedules.items() if is_selected(name, patterns)}


def is_selected(name: str, patterns: Sequence[str]) -> bool:
    """Say whether a name is one of the patterns, or matches one; without a pattern each name does."""
    return not patterns or any(matches(pattern, name) for pattern in patterns)


def choose(selector: Selector, candidates: Sequence[Candidate], noun: str = "schedule") -> list[Candidate]:
    """Return the candidates that a selector fits, in their order; an exact name wins over its meaning as a glob.

    Raises WrongUsage where a part of the selector fits no candidate, or all parts together fit none.
    """
    exact = selector.among({candidate.name for candidate in candidates})
    if unmatched := list(exact.unmatched(candidates)):
        raise _unmatched(unmatched, noun)
    chosen = [candidate for candidate in candidates if exact.fits(candidate)]
    if not chosen and not selector.is_empty and not selector.everything:
        text = shortened(selector_text(selector))
        raise WrongUsage(f"no {noun} fits all of `{text}`", hint="the parts of a selector narrow one another")
    return chosen


def _unmatched(parts: Sequence[Unmatched], noun: str) -> WrongUsage:
    kind, value, known = parts[0]
    values = [f"`{shortened(part.value)}`" for part in parts if part.kind == kind]
    named = " or ".join(values[:NAMED]) + and_more(len(values), NAMED)
    hint = did_you_mean(value, sorted(known)[:MOST_SIMILAR])
    if hint is None and kind in ("name", "glob"):
        hint = "give names, or a glob in quotes: 'sync-*'"
    return WrongUsage(f"no {noun} {_MISSING[kind]} {named}", hint=hint)
