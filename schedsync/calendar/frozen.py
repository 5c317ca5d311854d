"""Whether an instant lies in a window of a freeze, and when the freeze ends. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from schedsync.calendar.slots import crontab_slots, last_slot
from schedsync.core.freeze import Freeze

#: Windows that follow one another for longer than this never end, and neither do this many.
FURTHEST = timedelta(days=366)
_MOST_WINDOWS = 20_000


@dataclass(frozen=True, slots=True)
class Frozen:
    """An instant in a window: the freeze that holds it, and when the next apply is possible.

    ``until`` is None where windows follow one another for as long as this module looks ahead.
    """

    freeze: Freeze
    until: datetime | None


def frozen(freezes: Iterable[Freeze], environment: str | None, at: datetime) -> Frozen | None:
    """Return the window that holds an apply at an instant; None where nothing does.

    Windows that overlap, or that follow one another without a gap, are one.
    """
    holding = [each for each in freezes if each.holds(environment)]
    first = _window(holding, at)
    if first is None:
        return None
    freeze, end = first
    for _ in range(_MOST_WINDOWS // len(holding)):
        following = _window(holding, end)
        if following is None:
            return Frozen(freeze, end)
        if following[1] - at > FURTHEST:
            break
        end = following[1]
    return Frozen(freeze, None)


def never_ending(freezes: Sequence[Freeze], environment: str | None, now: datetime) -> Freeze | None:
    """Return the first freeze from whose next window on nothing could be applied any more; None without one."""
    for freeze in freezes:
        start = next(crontab_slots(freeze.starts, now), None)
        if freeze.holds(environment) and start is not None:
            window = frozen(freezes, environment, start)
            if window is not None and window.until is None:
                return freeze
    return None


def _window(freezes: Iterable[Freeze], at: datetime) -> tuple[Freeze, datetime] | None:
    """Return, of the windows that contain an instant, the freeze and the end of the one that ends last."""
    windows = [(freeze, end) for freeze in freezes if (end := _end(freeze, at)) is not None]
    return max(windows, key=lambda window: window[1], default=None)


def _end(freeze: Freeze, at: datetime) -> datetime | None:
    start = last_slot(freeze.starts, at, freeze.duration.days + 2)
    if start is None or start + freeze.duration <= at:
        return None
    return start + freeze.duration
