"""Our table of monitors: what services have for us, and what they could not be told yet."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django_celery_beat.models import PeriodicTask

from schedsync.core.watch import Recorded, Wanted
from schedsync.database.bulk import BATCH, batches
from schedsync.database.full_pause import everything_is_paused
from schedsync.models import ManagedSchedule, Monitor

_FIELDS = ("pk", "service", "row_id", "set", "name", "slug", "remote_id", "digest", "made", "error")
#: In characters.
_LONGEST_ERROR = 500
#: How many monitors one look finds; the next look finds the others.
_MOST_OWED = 10_000


def read_recorded(using: str) -> list[Recorded]:
    """Read what is known of the monitors of all sets, by name."""
    rows = Monitor.objects.using(using).order_by("name").values_list(*_FIELDS)
    return [Recorded(*values) for values in rows]


def has_any(using: str, set_name: str) -> bool:
    """Say whether a set has a monitor, or had one that a service may still have."""
    watched = ManagedSchedule.objects.using(using).filter(set=set_name, monitor__isnull=False)
    return bool(watched.exists() or Monitor.objects.using(using).filter(set=set_name).exists())


def managed_elsewhere(using: str, set_name: str) -> set[int]:
    """Return the ids of the rows that other sets manage."""
    ids = ManagedSchedule.objects.using(using).exclude(set=set_name).values_list("row_id", flat=True)
    return {row_id for row_id in ids.order_by() if row_id is not None}


def sets_of(using: str, names: Collection[str]) -> list[str]:
    """Return the sets of those among the schedules that have a monitor."""
    found: set[str] = set()
    for batch in batches(sorted(names)):
        watched = ManagedSchedule.objects.using(using).filter(name__in=batch, monitor__isnull=False)
        found.update(watched.values_list("set", flat=True).order_by())
    return sorted(found)


def begin(using: str, service: str, new: Sequence[tuple[Wanted, str, bool]], at: datetime) -> list[Recorded]:
    """Note monitors that are about to be made, each with its slug and whether we make it; returns their records.

    An apply that dies after that finds at the service what it has made.
    """
    rows = [
        Monitor(
            service=service, row_id=each.row_id or 0, set=each.set, name=each.name, slug=slug, made=made, changed_at=at
        )
        for each, slug, made in new
    ]
    ids = {row.row_id for row in rows}
    with transaction.atomic(using=using):
        # Another process may have noted one of them meanwhile.
        Monitor.objects.using(using).bulk_create(rows, batch_size=BATCH, ignore_conflicts=True)
    return [record for record in read_recorded(using) if record.service == service and record.row_id in ids]


def write_recorded(using: str, records: Iterable[Recorded], muted: Collection[int], at: datetime) -> None:
    """Write records back; ``muted`` are the row ids of those whose monitor is muted now."""
    rows = [
        Monitor(
            **{field: getattr(record, field) for field in _FIELDS} | {"error": record.error[:_LONGEST_ERROR]},
            muted=record.row_id in muted,
            changed_at=at,
        )
        for record in records
    ]
    names = [field for field in _FIELDS if field not in ("pk", "service")]
    Monitor.objects.using(using).bulk_update(rows, [*names, "muted", "changed_at"], batch_size=BATCH // 10)


def forget(using: str, keys: Sequence[int]) -> None:
    """Delete records."""
    for batch in batches(list(keys)):
        Monitor.objects.using(using).filter(pk__in=batch).delete()


def count_waiting(using: str, services: Collection[str]) -> int:
    """Count the monitors of all sets that services were not told of yet, as far as the tables alone can tell."""
    if not services:
        return 0
    watched = ManagedSchedule.objects.using(using).filter(monitor__isnull=False)
    known = Monitor.objects.using(using).filter(service__in=services)
    told = known.exclude(digest="").exclude(remote_id="")
    missing: int = sum(
        watched.exclude(Exists(told.filter(service=service, row_id=OuterRef("row_id")))).count() for service in services
    )
    return int(missing + _wrongly_muted(using, told).count() + known.exclude(Exists(_entries(using))).count())


def owed(using: str, services: Collection[str]) -> dict[str, set[str]]:
    """Return the schedules whose monitor a service has and must be told of again, by set.

    It is muted and should not be, or the other way round, after a pause that ended by itself, a pause of everything, or
    an edit of the row; or the service did not accept the last change.
    """
    there = Monitor.objects.using(using).filter(service__in=services).exclude(remote_id="")
    refused = there.filter(Exists(_entries(using)), digest="")
    found: dict[str, set[str]] = {}
    for rows in (refused, _wrongly_muted(using, there)):
        for set_name, name in rows.values_list("set", "name").order_by("name")[:_MOST_OWED]:
            found.setdefault(set_name, set()).add(name)
    return found


def _wrongly_muted(using: str, told: QuerySet[Monitor]) -> QuerySet[Monitor]:
    entries = told.filter(Exists(_entries(using)))
    task = PeriodicTask.objects.using(using).filter(pk=OuterRef("row_id"))
    is_wrong = Q(Exists(task.filter(enabled=True)), muted=True) | Q(Exists(task.filter(enabled=False)), muted=False)
    found: QuerySet[Monitor] = entries.filter(Q(muted=False) if everything_is_paused(using) else is_wrong)
    return found


def _entries(using: str) -> QuerySet[ManagedSchedule]:
    """Return the entries of the ledger that want a monitor, for a query that has the row's id."""
    entries: QuerySet[ManagedSchedule] = ManagedSchedule.objects.using(using).filter(
        monitor__isnull=False, row_id=OuterRef("row_id")
    )
    return entries
