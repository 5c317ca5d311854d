"""Reads which Beats of schedsync's own are running, and whether they have loaded a change."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import fields
from datetime import datetime, timedelta, timezone
from typing import Any

from django.conf import settings
from django.db.models import Q

from schedsync.core.counters import Counters
from schedsync.core.status import LastBeat
from schedsync.database.clock import DatabaseNow
from schedsync.database.tables import has_table
from schedsync.database.values import read_values, readable
from schedsync.models import ApplyLock, Beat, BeatCounters, BeatReport, Lease

#: In seconds. A Beat that has not written ``seen_at`` for this long counts as gone.
LEASE = 15.0
_POLL = 0.1


def live_beats(using: str) -> list[Beat]:
    """Return the Beats seen within the length of a lease, the leader first."""
    return _read(_beats(using).filter(_seen_lately()))


def count_leaders(using: str) -> int:
    """Return how many live Beats say that they lead; the row of one that was killed says so for at most a lease.

    Without an election all Beats lead, and count as one.
    """
    elections = list(_beats(using).filter(_seen_lately(), leads=True).values_list("election", flat=True))
    return len([election for election in elections if election != "none"]) + ("none" in elections)


def _read(rows: Any) -> list[Beat]:
    """Return the Beats, except those without a readable ``seen_at``; other unreadable values get a default."""
    names = [field.attname for field in Beat._meta.concrete_fields]
    beats = [dict(zip(names, map(readable, values), strict=True)) for values in read_values(rows, names)]
    return [
        Beat(**{name: _UNREAD.get(name) if value is None else value for name, value in values.items()})
        for values in beats
        if values["seen_at"] is not None
    ]


#: The defaults for values that cannot be read; None for other columns.
_UNREAD = {
    "host": "", "pid": 0, "election": "", "leads": False, "epoch": 0, "loaded": -1, "schedules": 0, "trouble": "",
    "started_at": datetime(1970, 1, 1, tzinfo=timezone.utc),
}  # fmt: skip


def _beats(using: str) -> Any:
    return Beat.objects.using(using).order_by("-leads", "-epoch", "started_at", "pk")


def _seen_lately() -> Q:
    return Q(seen_at__gt=DatabaseNow() - timedelta(seconds=lease_seconds()))


def lease_seconds() -> float:
    """Return the length of the lease."""
    return float(getattr(settings, "SCHEDSYNC_LEASE", None) or LEASE)


def read_reports(using: str) -> dict[uuid.UUID, BeatReport]:
    """Return what Beats report, by the id of the Beat; none before the table is made."""
    if not has_table(using, BeatReport):
        return {}
    names = [field.attname for field in BeatReport._meta.concrete_fields]
    rows = [dict(zip(names, map(readable, values), strict=True)) for values in _rows_of_reports(using, names)]
    return {values["beat"]: BeatReport(**values) for values in rows if values["beat"] is not None}


def _rows_of_reports(using: str, names: list[str]) -> list[tuple[Any, ...]]:
    return read_values(BeatReport.objects.using(using), names)


def read_counters(using: str) -> dict[uuid.UUID, Counters]:
    """Return the counters of Beats by the id of the Beat; none before the table is made."""
    if not has_table(using, BeatCounters):
        return {}
    names = [field.name for field in fields(Counters)]
    rows = read_values(BeatCounters.objects.using(using), ["beat", *names])
    return {
        beat: Counters(**dict(zip(names, counted, strict=True)))
        for beat, *counted in (tuple(map(readable, values)) for values in rows)
        if beat is not None and None not in counted
    }


def last_beat(using: str, reports: Iterable[BeatReport]) -> LastBeat | None:
    """Return the Beat that registered last; None if none ever did. It is asked for where none is live."""
    beats = _read(_beats(using))
    if beats:
        return LastBeat(str(max(beats, key=lambda beat: beat.seen_at)))
    if ended := [(report.ended_at, report.name) for report in reports if report.ended_at is not None]:
        at, name = max(ended)
        return LastBeat(name, at)
    # A Beat of an older version leaves nothing but the lease's epoch.
    has_led = Lease.objects.using(using).filter(pk=1).filter(Q(epoch__gt=0) | Q(acquired_at__isnull=False)).exists()
    return LastBeat("") if has_led else None


def last_number(using: str) -> int:
    """Return the number of the last change made behind the apply lock; 0 where there was none."""
    return ApplyLock.objects.using(using).values_list("number", flat=True).first() or 0


def wait_until_loaded(
    using: str, number: int, seconds: float, sleep: Callable[[float], None]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Wait until all live Beats have loaded a change, at most for ``seconds``.

    Returns the names of the Beats that have loaded it, and of those that have not. A Beat that was alive at the start
    is waited for even when it is not seen any more: it may be only suspended.
    """
    until = time.monotonic() + seconds
    known: set[uuid.UUID] = set()
    while True:
        beats = _read(_beats(using).filter(_seen_lately() | Q(pk__in=known)))
        known |= {beat.pk for beat in beats}
        behind = tuple(str(beat) for beat in beats if beat.loaded < number)
        if (beats and not behind) or time.monotonic() >= until:
            return tuple(str(beat) for beat in beats if beat.loaded >= number), behind
        sleep(_POLL)
