"""Locks on rows of tasks, and the end of one-offs: a row that another transaction has locked stops no other."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db import connections
from django.db.models import Q
from django_celery_beat.models import PeriodicTask

from schedsync.database.bulk import Among

#: Rows that run once.
_ONE_OFF = Q(one_off=True) | ~Q(clocked=None)


def locked_elsewhere(using: str, ids: Collection[int]) -> set[int]:
    """Lock rows, and return the ids of those that another transaction has locked, without waiting for these.

    A database that cannot skip locked rows waits for them; SQLite locks no rows.
    """
    features = connections[using].features
    if not features.has_select_for_update:
        return set()
    rows = PeriodicTask.objects.using(using).filter(Among(ids)).order_by("pk")
    skip = features.has_select_for_update_skip_locked
    free = set(rows.select_for_update(skip_locked=skip).values_list("pk", flat=True))
    if len(free) == len(ids):
        return set()
    return set(rows.values_list("pk", flat=True)) - free


def moved_on(rows: Any, tick: Any) -> set[int]:
    """Return the ids of rows whose clocked time is later than the tick that was sent; it may be an expression."""
    return set(rows.filter(clocked__clocked_time__gt=tick).values_list("pk", flat=True))


def finish(rows: Any) -> None:
    """Disable the rows among these that run once, as stock Beat does."""
    rows.filter(_ONE_OFF).update(enabled=False, total_run_count=0, last_run_at=None)
