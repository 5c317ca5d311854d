"""Reads who edited a row, from the log of Django's admin; a log that is missing or broken never stops a verb."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timezone

from schedsync.core.change import Edit
from schedsync.core.why import TableEdit
from schedsync.database.bulk import batches
from schedsync.database.ledger import applied_at

logger = logging.getLogger(__name__)
_EVER = datetime(1970, 1, 1, tzinfo=timezone.utc)

_ACTIONS = {1: "added", 2: "changed", 3: "deleted"}
_NOT_READ = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


def last_edits(using: str, rows: Mapping[str, int], unmanaged: Collection[int] = ()) -> dict[int, Edit]:
    """Return the last edit of each row, by the row's id; empty where the project does not use the admin.

    ``rows`` maps names to the ids of their rows. Edits before the row was last applied do not count; those of
    ``unmanaged`` rows, given by their ids, all do. The log is in the database that Django's routers give for it.
    Returns nothing if the log cannot be read, because its table or a right is missing, or its server is down.
    """
    from django.apps import apps

    if not (rows or unmanaged) or not apps.is_installed("django.contrib.admin"):
        return {}
    since = {rows[name]: time for name, time in applied_at(using, rows).items()}
    since |= dict.fromkeys(unmanaged, _EVER)
    try:
        return _last_edits(since)
    except Exception as error:
        logger.info("the admin's log cannot be read, so nobody is named: %s", error)
        return {}


def _last_edits(since: Mapping[int, datetime]) -> dict[int, Edit]:
    from django.contrib.admin.models import LogEntry
    from django.contrib.auth import get_user_model
    from django.db import router, transaction

    using = router.db_for_read(LogEntry)
    log = LogEntry.objects.using(using).filter(
        content_type__app_label="django_celery_beat", content_type__model="periodictask"
    )
    columns = ("object_id", f"user__{get_user_model().USERNAME_FIELD}", "action_time")
    result: dict[int, Edit] = {}
    # In a transaction of its own: a failed query must not spoil one that the caller has open.
    with transaction.atomic(using=using):
        for batch in batches(sorted(since)):
            entries = log.filter(object_id__in=list(map(str, batch))).order_by("action_time").values_list(*columns)
            for object_id, user, time in entries:
                row_id = int(str(object_id))
                if time >= since[row_id]:
                    result[row_id] = Edit(str(user), time)
    return result


def table_edits(row_ids: Collection[int], names: Collection[str], most: int) -> tuple[TableEdit, ...]:
    """Return what the admin's log says of rows, or of deleted ones with these names, the newest first.

    Returns nothing if the project does not use the admin, or its log cannot be read.
    """
    from django.apps import apps

    if not apps.is_installed("django.contrib.admin"):
        return ()
    try:
        return tuple(_table_edits(row_ids, names, most))
    except Exception as error:
        logger.info("the admin's log cannot be read, so nobody is named: %s", error)
        return ()


def _table_edits(row_ids: Collection[int], names: Collection[str], most: int) -> Iterator[TableEdit]:
    from django.contrib.admin.models import LogEntry
    from django.contrib.auth import get_user_model
    from django.db import router, transaction
    from django.db.models import Q

    using = router.db_for_read(LogEntry)
    wanted = Q(object_id__in=[str(row_id) for row_id in sorted(row_ids)])
    for name in names:
        wanted |= Q(action_flag=3, object_repr__startswith=f"{name}: ")
    log = LogEntry.objects.using(using).filter(
        wanted, content_type__app_label="django_celery_beat", content_type__model="periodictask"
    )
    columns = (f"user__{get_user_model().USERNAME_FIELD}", "action_time", "action_flag", "change_message")
    # In a transaction of its own: a failed query must not spoil one that the caller has open.
    with transaction.atomic(using=using):
        entries = list(log.order_by("-action_time").values_list(*columns)[:most])
    for user, at, flag, message in entries:
        yield TableEdit(str(user), at, _ACTIONS.get(flag, "changed"), _fields_of(message))


def _fields_of(message: str) -> tuple[str, ...]:
    """Return the fields that an entry of the log names."""
    try:
        parts = json.loads(message)
        return tuple(str(field) for part in parts for field in part.get("changed", {}).get("fields", ()))
    except _NOT_READ:
        return ()
