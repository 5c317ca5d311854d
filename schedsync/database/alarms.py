"""The alarms that are on, in their table: each is claimed before it is sent, so that only one process sends it."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models import Q, QuerySet

from schedsync.core.alarm import NOTICES, Alarm, Kind, Noted
from schedsync.database.bulk import BATCH, batches, rows_of
from schedsync.database.clock import DatabaseNow
from schedsync.database.values import Damaged, read_values, storable
from schedsync.models import SentAlarm
from schedsync.planning.alarms import TAKEN_FOR

#: Alarms that ended, or that nobody looks at any more, are deleted after 30 days.
_KEPT = timedelta(days=30)
_LONGEST_SUBJECT = 250
_NAMES = ("key", "kind", "subject", "claimed_at", "sent_at")
_KINDS = frozenset(kind.value for kind in Kind)


def noted_alarms(using: str, kinds: Collection[Kind], scope: str = "") -> list[Noted]:
    """Return the alarms of these kinds that have not ended; rows that cannot be read are left out."""
    rows = rows_of(SentAlarm, using).filter(ended_at=None, scope=scope, kind__in=[kind.value for kind in kinds])
    found = [values for values in read_values(rows.order_by("key"), _NAMES) if not isinstance(values, Damaged)]
    return [Noted(key, Kind(kind), *others) for key, kind, *others in found if kind in _KINDS]


def claim(using: str, alarms: Sequence[Alarm], remind_after: timedelta) -> set[str]:
    """Take alarms, to send them for the first time or again; returns the keys of those that this call may send.

    Of several processes that call this at once for the same alarm one gets it: the row is compared again by the
    statement that changes it.
    """
    token = uuid.uuid4()
    keys = sorted({alarm.key for alarm in alarms})
    with transaction.atomic(using=using):
        rows_of(SentAlarm, using).bulk_create(_fresh_rows(alarms), batch_size=BATCH, ignore_conflicts=True)
        for batch in batches(keys):
            rows = rows_of(SentAlarm, using).filter(key__in=batch)
            rows.exclude(ended_at=None).update(began=DatabaseNow(), claimed_at=None, ended_at=None)
            free = rows.filter(_may_be_sent(remind_after))
            free.update(claim=token, claimed_at=DatabaseNow(), sent_at=None, sent_by=_process())
    return _claimed(using, keys, token)


def _fresh_rows(alarms: Iterable[Alarm]) -> list[SentAlarm]:
    # In one order in every process, so that two of them never wait for each other.
    by_key = sorted({alarm.key: alarm for alarm in alarms}.items())
    return [
        SentAlarm(
            key=key, kind=alarm.kind.value, scope=alarm.scope,
            subject=storable(alarm.subject, _LONGEST_SUBJECT), began=DatabaseNow(),
        )
        for key, alarm in by_key
    ]  # fmt: skip


def _may_be_sent(remind_after: timedelta) -> Q:
    """Return the condition that nobody has sent an alarm, or is sending it, or that it is to be sent again."""
    is_left = Q(claimed_at=None) | Q(sent_at=None, claimed_at__lt=DatabaseNow() - TAKEN_FOR)
    lasts = ~Q(kind__in=[kind.value for kind in NOTICES])
    return is_left | (Q(sent_at__lt=DatabaseNow() - remind_after) & lasts)


def claim_end(using: str, keys: Collection[str]) -> set[str]:
    """Note alarms as over; returns the keys of those that this call has ended, and whose end it may tell."""
    token, ordered = uuid.uuid4(), sorted(keys)
    for batch in batches(ordered):
        lasting = rows_of(SentAlarm, using).filter(key__in=batch, ended_at=None)
        lasting.update(claim=token, ended_at=DatabaseNow(), sent_by=_process())
    return _claimed(using, ordered, token)


def note_sent(using: str, keys: Collection[str]) -> None:
    """Note that a service has accepted these alarms."""
    for batch in batches(sorted(keys)):
        rows_of(SentAlarm, using).filter(key__in=batch).update(sent_at=DatabaseNow())


def forget_old(using: str) -> None:
    """Delete alarms that ended long ago, or that nobody has looked at for long, as those of a host that is gone."""
    before = DatabaseNow() - _KEPT
    is_old = Q(ended_at__lt=before) | Q(claimed_at__lt=before)
    rows: QuerySet[SentAlarm] = rows_of(SentAlarm, using).filter(is_old)
    rows._raw_delete(using)


def _claimed(using: str, keys: Sequence[str], token: uuid.UUID) -> set[str]:
    rows = rows_of(SentAlarm, using).filter(claim=token)
    return {key for batch in batches(keys) for key in rows.filter(key__in=batch).values_list("key", flat=True)}


def _process() -> str:
    return f"{socket.gethostname()[:200]}:{os.getpid()}"
