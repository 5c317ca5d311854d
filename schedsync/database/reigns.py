"""Reads from the journal who led when: a constant number of queries."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Max, QuerySet
from django.utils.dateparse import parse_datetime

from schedsync.core.journal import Reign
from schedsync.core.journal_data import DamagedSegment, unpacked
from schedsync.core.timing import in_calendar
from schedsync.database.beats import live_beats
from schedsync.database.segments import segments
from schedsync.database.tables import has_table
from schedsync.database.values import NOT_CONVERTED
from schedsync.models import Beat, JournalSegment

#: The turns since the time that was asked for, and before it, that are read at most.
MOST_TURNS = 2000
_BEFORE = 50
_TURNS = ("begin", "end")
_NAMES = ("beat", "name", "epoch", "turn", "written_at")

#: A Beat leads under one epoch at a time; without an election all epochs are 0.
_Key = tuple[uuid.UUID, int]


@dataclass(frozen=True, slots=True)
class _Turn:
    """The beginning or the end of a reign; ``before`` is the last sign of life of an earlier epoch, if known."""

    key: _Key
    name: str
    begins: bool
    at: datetime
    reason: str
    before: tuple[int, datetime] | None


def reigns(using: str, since: datetime, until: datetime) -> list[Reign]:
    """Return who led in a span of time, the oldest first; nothing before the table is made."""
    if not has_table(using, JournalSegment):
        return []
    turns = _turns(JournalSegment.objects.using(using).filter(turn__in=_TURNS), since)
    signs = _signs(using, turns)
    live = {(beat.pk, beat.epoch) for beat in live_beats(using) if beat.leads}
    found = _clipped([_reign(begin, end, signs, live) for begin, end in _pairs(turns)])
    return [reign for reign in found if reign.since <= until and (reign.until is None or reign.until >= since)]


def _turns(rows: QuerySet[Any], since: datetime) -> list[_Turn]:
    """Return the turns that were written since an instant, and the last ones before, in order; of many the newest."""
    later = list(segments(rows.filter(written_at__gte=since).order_by("-written_at", "-pk")[:MOST_TURNS], _NAMES))
    before = rows.filter(written_at__lt=since).order_by("-written_at", "-pk")[:_BEFORE]
    # Where turns between them are left out, an older one would look as if nobody had led since.
    values = [*later, *(() if len(later) == MOST_TURNS else segments(before, _NAMES))]
    turns = [turn for row in values if row and (turn := _turn(*row)) is not None]
    # A segment whose commit was not answered may be there twice.
    unique = {(turn.key, turn.begins, round(turn.at.timestamp())): turn for turn in turns}
    return sorted(unique.values(), key=lambda turn: (turn.at, turn.begins))


def _read(rows: Any) -> list[tuple[Any, ...]]:
    try:
        return list(rows)
    except NOT_CONVERTED:
        return []


def _turn(beat: uuid.UUID, name: str, epoch: int, turn: str, written_at: datetime, data: bytes) -> _Turn | None:
    """Return a turn, or None where its segment is damaged."""
    try:
        document, _ = unpacked(data)
        at = written_at - timedelta(seconds=document["age"])
        reason = str(document.get("reason", ""))
        before = document.get("before")
        seen = None if before is None else (int(before["epoch"]), parse_datetime(before["seen"]))
    except (DamagedSegment, *NOT_CONVERTED, KeyError):
        return None
    if not in_calendar(at):
        return None
    known = None if seen is None or seen[1] is None else (seen[0], seen[1])
    return _Turn((beat, epoch), name, turn == "begin", at, reason, known)


def _pairs(turns: Iterable[_Turn]) -> list[tuple[_Turn, _Turn | None]]:
    """Return each beginning with its end; the end is None where none was written before the next beginning."""
    pairs: list[tuple[_Turn, _Turn | None]] = []
    is_open: dict[_Key, int] = {}
    for turn in turns:
        if turn.begins:
            is_open[turn.key] = len(pairs)
            pairs.append((turn, None))
        elif (number := is_open.pop(turn.key, None)) is not None:
            pairs[number] = (pairs[number][0], turn)
    return pairs


def _signs(using: str, turns: Iterable[_Turn]) -> dict[_Key | int, datetime]:
    """Return the last sign of life by Beat and epoch, and by epoch alone, as far as known."""
    keys = {turn.key for turn in turns}
    beats = {beat for beat, _ in keys}
    rows = JournalSegment.objects.using(using).filter(beat__in=beats, epoch__in={epoch for _, epoch in keys})
    written = rows.values_list("beat", "epoch").annotate(Max("written_at"))
    seen = Beat.objects.using(using).filter(pk__in=beats, leads=True).values_list("pk", "epoch", "seen_at")
    signs: dict[_Key | int, datetime] = {turn.before[0]: turn.before[1] for turn in turns if turn.before is not None}
    for beat, epoch, at in (*_read(written), *_read(seen)):
        if isinstance(at, datetime):
            signs[beat, epoch] = max(at, signs.get((beat, epoch), at))
    return signs


def _reign(begin: _Turn, end: _Turn | None, signs: Mapping[Any, datetime], live: Iterable[_Key]) -> Reign:
    key, epoch = begin.key, begin.key[1]
    if end is not None:
        return Reign(epoch, begin.name, begin.at, max(end.at, begin.at), reason=end.reason)
    if key in live:
        return Reign(epoch, begin.name, begin.at)
    last = max(signs.get(key, begin.at), signs.get(epoch, begin.at) if epoch else begin.at, begin.at)
    return Reign(epoch, begin.name, begin.at, last, until_known=False)


def _clipped(found: list[Reign]) -> list[Reign]:
    """Let a reign end where the next one begins: a Beat that was stopped notices late that it lost the lease."""
    ordered = sorted(found, key=lambda reign: (reign.since, reign.epoch))
    return [_until(reign, following) for reign, following in zip(ordered, [*ordered[1:], None], strict=False)]


def _until(reign: Reign, following: Reign | None) -> Reign:
    if following is None or reign.epoch >= following.epoch:
        return reign
    if reign.until is not None and reign.until <= following.since:
        return reign
    return replace(reign, until=following.since, until_known=False)
