"""Reads the sets of the ledger: how much each manages, and where it was applied from last."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Count, Max, Q

from schedsync.core.origin import commit_from
from schedsync.database.apply_failures import failed_applies
from schedsync.database.bulk import rows_of
from schedsync.database.values import NOT_CONVERTED, Damaged, read_values
from schedsync.models import ManagedSchedule, SyncRun


@dataclass(frozen=True, slots=True)
class ManagedSet:
    """A set: how many schedules it has and in how many files; ``commit`` and ``repository`` are of its last apply.

    ``failure`` is the reason of the last apply if that failed, else empty.
    """

    schedules: int
    files: int
    commit: str | None = None
    repository: str | None = None
    failure: str = ""


def managed_sets(using: str) -> dict[str, ManagedSet]:
    """Return the sets by name, in a constant number of queries."""
    files = Count("path", distinct=True, filter=~Q(path=""))
    counts = rows_of(ManagedSchedule, using).order_by().values_list("set").annotate(rows=Count("pk"), files=files)
    found = {name: ManagedSet(schedules, paths) for name, schedules, paths in counts}
    for failed in failed_applies(using):
        known = found.get(failed.set, ManagedSet(0, 0))
        found[failed.set] = replace(known, failure=failed.reason)
    for name, commit, repository in _last_applies(using):
        if name in found:
            found[name] = replace(found[name], commit=commit_from(commit)[0], repository=repository)
    return found


def _last_applies(using: str) -> list[Any]:
    runs = rows_of(SyncRun, using).filter(verb="apply").order_by()
    try:
        newest = dict(runs.values_list("set").annotate(at=Max("at")))
    except NOT_CONVERTED:
        return []
    read = read_values(runs.filter(at__in=set(newest.values())), ("set", "at", "commit", "repository"))
    rows = [values for values in read if not isinstance(values, Damaged)]
    return [(name, commit, repository) for name, at, commit, repository in rows if newest.get(name) == at]
