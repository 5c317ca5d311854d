"""What Beat does to rows of tasks, with a claim and without."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db import connections
from django.db.models import Q
from django_celery_beat.models import PeriodicTask

#: Rows that are to run once.
_ONE_OFF = Q(one_off=True) | ~Q(clocked=None)


def locked_elsewhere(using: str, ids: Collection[int]) -> set[int]:
    """Lock rows, without waiting for those that another transaction has locked; returns the ids of those.

    Where the database cannot pass over locked rows, it waits for them; SQLite locks no rows.
    """
    features = connections[using].features
    if not features.has_select_for_update:
        return set()
    rows = PeriodicTask.objects.using(using).filter(pk__in=ids).order_by("pk")
    skip = features.has_select_for_update_skip_locked
    free = set(rows.select_for_update(skip_locked=skip).values_list("pk", flat=True))
    if len(free) == len(ids):
        return set()
    return set(rows.values_list("pk", flat=True)) - free


def moved_on(rows: Any, tick: Any) -> set[int]:
    """Return the ids of rows that were given a later instant than the tick that was sent, or an expression for it."""
    return set(rows.filter(clocked__clocked_time__gt=tick).values_list("pk", flat=True))


def finish(rows: Any) -> None:
    """Disable rows that are done, as stock Beat does: unless they were given more runs meanwhile."""
    rows.filter(_ONE_OFF).update(enabled=False, total_run_count=0, last_run_at=None)
