"""Definitions that a review cannot expand, because only the application knows the values of their sources.

A definition that is the same on both sides makes the same schedules on both, so it changes nothing. One that differs
can change any number of schedules, so the review must not pass without them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from schedsync.core.finding import Finding
from schedsync.core.refusal import Refusal
from schedsync.files.document import NOT_EXPANDED_HINT
from schedsync.planning.notices import folded
from schedsync.review.side import Side


def not_expanded(sides: tuple[Side, Side], environment: str | None) -> Iterator[Finding]:
    """Yield an error for each definition that differs, and one finding that counts those that do not."""
    before, after = (
        {(each.name, each.written): each for each in side.reading.unexpanded(environment)} for side in sides
    )
    for key, definition in after.items():
        if key not in before:
            yield definition.finding()
    names = {name for name, _ in after}
    for definition in (each for key, each in before.items() if key[0] not in names):
        message = f"`{definition.name}` is gone, and the schedules that it made are not known here"
        yield Finding("SS153", message, sides[1].place, NOT_EXPANDED_HINT)
    unchanged = [(definition.name, definition.location) for key, definition in after.items() if key in before]
    yield from folded(
        "SS153",
        unchanged,
        "`{name}` did not change, and its schedules are not in this review",
        "{count} definitions did not change, and their schedules are not in this review",
        NOT_EXPANDED_HINT,
        "info",
    )


def countable(refusals: Sequence[Refusal], side: Side, environment: str | None) -> tuple[Refusal, ...]:
    """Return the refusals without those that count all schedules of the set, if not all of them are known."""
    if not side.reading.unexpanded(environment):
        return tuple(refusals)
    return tuple(each for each in refusals if not _counts_all(each, side.config.max_stops))


def _counts_all(refusal: Refusal, max_stops: int) -> bool:
    share = refusal.code == "too_many_stops" and (refusal.stops or 0) <= max_stops
    return share or refusal.code == "empty_set"
