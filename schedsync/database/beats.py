"""Which Beats of ours live, and whether they have loaded a change."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q

from schedsync.database.clock import DatabaseNow
from schedsync.models import ApplyLock, Beat

#: A Beat says that it lives as often as it renews its lease; without a word for so many seconds it is gone.
LEASE = 15.0
_LOOK = 0.1


def live_beats(using: str) -> list[Beat]:
    """Return the Beats that said something within the length of a lease, the leader first."""
    return list(_beats(using).filter(_seen_lately()))


def _beats(using: str) -> Any:
    return Beat.objects.using(using).order_by("-leads", "-epoch", "started_at", "pk")


def _seen_lately() -> Q:
    span = timedelta(seconds=float(getattr(settings, "SCHEDSYNC_LEASE", None) or LEASE))
    return Q(seen_at__gt=DatabaseNow() - span)


def last_number(using: str) -> int:
    """Return the number of the last change behind the apply lock."""
    return ApplyLock.objects.using(using).values_list("number", flat=True).first() or 0


def wait_until_loaded(
    using: str, number: int, seconds: float, sleep: Callable[[float], None]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Wait until all live Beats have loaded a change; returns who has, and who has not when the time is over.

    Who lived when it began is waited for also where it says nothing any more: it may only be stopped.
    """
    until = time.monotonic() + seconds
    known: set[uuid.UUID] = set()
    while True:
        beats = list(_beats(using).filter(_seen_lately() | Q(pk__in=known)))
        known |= {beat.pk for beat in beats}
        behind = tuple(str(beat) for beat in beats if beat.loaded < number)
        if (beats and not behind) or time.monotonic() >= until:
            return tuple(str(beat) for beat in beats if beat.loaded >= number), behind
        sleep(_LOOK)
