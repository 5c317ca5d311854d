"""Keeps the history in order after an apply: deletes old records, and finds the names in those of older versions.

All of it is done in batches of their own, after the apply's transaction: no failure here is one of the apply.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, InterfaceError, transaction
from django.db.models import Max, Q

from schedsync.core.names import shortened
from schedsync.core.timing import TimingError, duration
from schedsync.database.audit import SAYS_LAST_APPLY
from schedsync.database.bulk import rows_of
from schedsync.database.clock import now
from schedsync.database.hand_runs import PAST
from schedsync.database.history_names import write_names
from schedsync.database.rights import may_insert
from schedsync.database.run_changes import read_documents
from schedsync.database.tables import has_table
from schedsync.database.values import NOT_CONVERTED, Damaged, read_values
from schedsync.errors import WrongUsage
from schedsync.models import HistoryName, SyncRun
from schedsync.planning.named import named_in

_SETTING = "SCHEDSYNC_HISTORY_KEEP"
#: A younger record can be one that a running apply or a run of the past still needs.
_SHORTEST, _LONGEST = timedelta(days=1), timedelta(days=36500)
#: How many records one transaction deletes or reads, and how many transactions follow one apply.
_BATCH, _BATCHES = 500, 20
#: The summary of a run of the past that another call may go on with.
_UNFINISHED = '"done":0'


def history_keep() -> timedelta | None:
    """Return SCHEDSYNC_HISTORY_KEEP: a timedelta, a number of days, or a text such as ``400d``; None keeps all.

    Raises WrongUsage for another value.
    """
    value = getattr(settings, _SETTING, None)
    if value is None:
        return None
    keep = value
    if isinstance(keep, (int, float)) and not isinstance(keep, bool) and 0 <= keep < math.inf:
        keep = timedelta(days=min(keep, _LONGEST.days))
    if isinstance(keep, str):
        try:
            keep = min(timedelta(microseconds=duration(keep)), _LONGEST)
        except (TimingError, OverflowError):
            keep = None
    if not isinstance(keep, timedelta) or keep < _SHORTEST:
        hint = "set a timedelta, a number of days, or a text such as `400d`; at least a day"
        raise WrongUsage(f"{_SETTING} is no time to keep: `{shortened(value)}`", hint=hint)
    return keep


def tidy_history(using: str, note: Callable[[str], None]) -> None:
    """Delete old records, and write the names of those that have none; ``note`` gets a message if that fails."""
    try:
        keep = history_keep()
        if not has_table(using, HistoryName):
            return
        if keep is not None:
            prune(using, now() - keep)
        find_names(using)
    except WrongUsage as error:
        note(f"no old record of the history was deleted: {error.message}")
    except (DatabaseError, InterfaceError, *NOT_CONVERTED) as error:
        note(f"the history was not tidied up, the next apply tries again: {shortened(error, 200)}")


def prune(using: str, before: datetime) -> int:
    """Delete records before an instant, in batches of their own; returns how many.

    What other verbs need stays: the last apply of each set, and a run of the past that is not done.
    """
    kept = rows_of(SyncRun, using).filter(verb__in=SAYS_LAST_APPLY).order_by()
    try:
        newest = {at for _, at in kept.values_list("set").annotate(newest=Max("at"))}
    except NOT_CONVERTED:
        # A damaged time hides which apply is the last one.
        return 0
    needed = Q(verb__in=SAYS_LAST_APPLY, at__in=newest) | Q(verb=PAST, summary__contains=_UNFINISHED)
    old = rows_of(SyncRun, using).filter(at__lt=before).exclude(needed).order_by("at")
    deleted = 0
    for _ in range(_BATCHES):
        runs = list(old.values_list("pk", flat=True)[:_BATCH])
        if not runs:
            break
        _delete(using, runs)
        deleted += len(runs)
    return deleted


def _delete(using: str, runs: Sequence[uuid.UUID]) -> None:
    with transaction.atomic(using=using):
        # The records first: an apply that finds their names at the same time holds them, and we wait for its names.
        rows_of(SyncRun, using).filter(pk__in=runs)._raw_delete(using)
        rows_of(HistoryName, using).filter(run__in=runs)._raw_delete(using)


def find_names(using: str) -> int:
    """Write the names of records that have none yet, the newest first, one batch; returns how many were read.

    A role that may not write them leaves them to another one.
    """
    if not may_insert(using, HistoryName):
        return 0
    rows = rows_of(SyncRun, using).filter(names=None).order_by("-at")
    read = read_values(rows[:_BATCH], ("id", "at"))
    times: dict[uuid.UUID, datetime] = {values[0]: values[1] for values in read if not isinstance(values, Damaged)}
    found = {
        run: named_in(documents) if isinstance(documents, list) else ()
        for run, documents in read_documents(using, list(times))
    }
    if found:
        with transaction.atomic(using=using):
            for run, named in found.items():
                # Another apply may have done it, or deleted the record.
                if rows_of(SyncRun, using).filter(pk=run, names=None).update(names=len(named)):
                    write_names(using, run, times[run], named)
    return len(found)
