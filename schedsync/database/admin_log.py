"""Reads who edited a row, from the log of Django's admin."""

from __future__ import annotations

from collections.abc import Mapping

from schedsync.core.change import Edit
from schedsync.database.ledger import applied_at


def last_edits(using: str, rows: Mapping[str, int]) -> dict[int, Edit]:
    """Return the last edit of each row, by the row's id; empty where the project does not use the admin.

    ``rows`` maps names to the ids of their rows. Edits before the row was last applied do not count.
    """
    from django.apps import apps

    if not rows or not apps.is_installed("django.contrib.admin"):
        return {}
    from django.contrib.admin.models import LogEntry

    since = {rows[name]: time for name, time in applied_at(using, rows).items()}
    entries = (
        LogEntry.objects.using(using)
        .filter(content_type__app_label="django_celery_beat", content_type__model="periodictask")
        .filter(object_id__in=[str(row_id) for row_id in since])
        .order_by("action_time")
        .values_list("object_id", "user__username", "action_time")
    )
    edits = ((int(str(object_id)), Edit(str(user), time)) for object_id, user, time in entries)
    return {row_id: edit for row_id, edit in edits if edit.time >= since[row_id]}
