"""Which refusals the allowances of the configuration lift. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from schedsync.core.allowance import Allowance
from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.core.refusal import Limits, Refusal


def lift(
    refusals: Sequence[Refusal], limits: Limits, now: datetime, *, empty: bool
) -> tuple[tuple[Refusal, ...], list[Finding]]:
    """Return the refusals that no allowance lifts, and a finding for each allowance that lifts one.

    ``empty`` says that the files hold no schedule: an allowance of an empty set allows its stops too.
    """
    current = [each for each in limits.allowances if not each.ended(now)]
    lifted: dict[Allowance, list[Refusal]] = {}
    left: list[Refusal] = []
    for refusal in refusals:
        allowance = next((each for each in current if _lifts(each, refusal, empty)), None)
        if allowance is None:
            left.append(_with_limit(refusal, current))
        else:
            lifted.setdefault(allowance, []).append(refusal)
    return tuple(left), [_notice(allowance, those, limits.place) for allowance, those in lifted.items()]


def _lifts(allowance: Allowance, refusal: Refusal, empty: bool) -> bool:
    if allowance.rule == refusal.code:
        return allowance.limit is None or (refusal.stops is not None and refusal.stops <= allowance.limit)
    return empty and (allowance.rule, refusal.code) == ("empty_set", "too_many_stops")


def _with_limit(refusal: Refusal, current: Iterable[Allowance]) -> Refusal:
    """Return a refusal that says how many stops the configuration allows, where it allows fewer than there are."""
    limits = [each.limit for each in current if each.rule == refusal.code and each.limit is not None]
    if not limits:
        return refusal
    return replace(refusal, message=f"{refusal.message}; `[[safety.allow]]` allows {max(limits):,}")


def _notice(allowance: Allowance, refusals: Sequence[Refusal], place: Location | None) -> Finding:
    more = f" (and {len(refusals) - 1:,} more)" if len(refusals) > 1 else ""
    message = (
        f"`[[safety.allow]]` lifts {allowance}; without it, an apply would be refused: {refusals[0].message}{more}"
    )
    return Finding("SS170", message, place, None, "warning")


def ended(allowances: Iterable[Allowance], now: datetime, place: Location | None) -> Iterator[Finding]:
    """Yield a finding for each allowance whose time is over."""
    for allowance in allowances:
        if allowance.ended(now):
            message = f"an entry of `[[safety.allow]]` has ended and lifts nothing: {allowance}"
            yield Finding("SS169", message, place, "remove the entry", "info")
