"""What a freeze means for a plan: a refusal, a notice where a flag lifts it, and what a reviewer is told. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from schedsync.calendar.frozen import Frozen, frozen, never_ending
from schedsync.calendar.words import when
from schedsync.core.change import Change
from schedsync.core.finding import Finding
from schedsync.core.freeze import FROZEN, Freeze
from schedsync.core.location import Location
from schedsync.core.observed import Observed
from schedsync.core.refusal import Limits, Refusal


def freeze_refusals(limits: Limits, environment: str | None, at: datetime | None) -> tuple[Refusal, ...]:
    """Return the refusal of any change at an instant, if a freeze holds it; whether a flag lifts it is not asked."""
    window = frozen(limits.freezes, environment, at) if at is not None and limits.freezes else None
    if at is None or window is None:
        return ()
    hint = "apply when the freeze ends; --allow-freeze" if window.until else "shorten the `[[freeze]]`; --allow-freeze"
    return (Refusal(FROZEN, _sentence(window, at), hint),)


def only_resumes(changes: Iterable[Change], observed: Observed, now: datetime) -> bool:
    """Say whether no change does more than to end a pause at its time: beside stock Beat, an apply has to."""
    return all(_resumes(change, observed, now) for change in changes)


def _resumes(change: Change, observed: Observed, now: datetime) -> bool:
    pause, managed = observed.pauses.get(change.name), observed.ledger.get(change.name)
    if pause is None or managed is None or change.removing is not None or not pause.ended(now):
        return False
    return managed.was_enabled and [field.field for field in change.fields] == ["enabled"]


def lifted_notice(refusals: Iterable[Refusal], place: Location | None) -> Iterator[Finding]:
    """Yield a warning for a freeze that `--allow-freeze` lifts."""
    for refusal in refusals:
        message = f"`--allow-freeze` lifts a freeze; without it, an apply would be refused: {refusal.message}"
        yield Finding("SS180", message, place, None, "warning")


def frozen_now(
    freezes: Sequence[Freeze], environment: str | None, now: datetime, place: Location | None
) -> Iterator[Finding]:
    """Yield for a reviewer that nothing can be applied now, and until when."""
    window = frozen(freezes, environment, now) if freezes else None
    if window is not None:
        yield Finding("SS180", _sentence(window, now), place, None, "info")


def never_end(
    freezes: Sequence[Freeze], environments: Iterable[str | None], now: datetime, place: Location | None
) -> Iterator[Finding]:
    """Yield an error for each freeze from whose window on nothing could be applied in one of the environments."""
    endless = [never_ending(freezes, environment, now) for environment in environments] if freezes else []
    for freeze in dict.fromkeys(each for each in endless if each is not None):
        message = f"the freeze never ends: {freeze}; its windows, and those beside it, leave no gap"
        yield Finding("SS181", message, place, "shorten `duration`, or let it start less often")


def _sentence(window: Frozen, now: datetime) -> str:
    if window.until is None:
        return f"frozen, and the freeze never ends: {window.freeze.reason}"
    return f"frozen until {when(window.until, window.freeze.starts, now)}: {window.freeze.reason}"
