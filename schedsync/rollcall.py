"""Which Beats of ours live, and whether they have loaded a change."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings

from schedsync.clock import DatabaseNow
from schedsync.models import ApplyLock, Beat

#: A Beat says that it lives as often as it renews its lease; without a word for so many seconds it is gone.
LEASE = 15.0
_LOOK = 0.1


def live_beats(using: str) -> list[Beat]:
    """Return the Beats that said something within the length of a lease, the leader first."""
    span = timedelta(seconds=float(getattr(settings, "SCHEDSYNC_LEASE", LEASE)))
    rows = Beat.objects.using(using).filter(seen_at__gt=DatabaseNow() - span)
    return list(rows.order_by("-leads", "started_at", "pk"))


def last_number(using: str) -> int:
    """Return the number of the last change behind the apply lock."""
    return ApplyLock.objects.using(using).values_list("number", flat=True).first() or 0


def wait_until_loaded(
    using: str, number: int, seconds: float, sleep: Callable[[float], None]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Wait until all live Beats have loaded a change; returns who has, and who has not when the time is over."""
    until = time.monotonic() + seconds
    while True:
        beats = live_beats(using)
        behind = tuple(str(beat) for beat in beats if beat.loaded < number)
        if (beats and not behind) or time.monotonic() >= until:
            return tuple(str(beat) for beat in beats if beat.loaded >= number), behind
        sleep(_LOOK)
