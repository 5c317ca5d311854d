"""Finds schedules with ``overlap: skip`` that run together all the same: nobody tells Beat when their runs end."""

from __future__ import annotations

from collections.abc import Iterator

from schedsync.core.finding import Finding
from schedsync.core.names import first_names, shortened
from schedsync.database.faults import database_errors
from schedsync.models import ManagedSchedule
from schedsync.worker.marks import is_tracked

#: How many schedules the finding names.
_NAMED = 5


def untracked_findings(using: str) -> Iterator[Finding]:
    """Say which schedules have ``overlap: skip`` while the project's Celery application does not track runs."""
    from celery import current_app

    if is_tracked(current_app):
        return
    with database_errors(using):
        skipping = ManagedSchedule.objects.using(using).filter(overlap="skip").order_by("name")
        names = [shortened(name) for name in skipping.values_list("name", flat=True)]
    if names:
        hint = "call `track_runs(app)` of `schedsync.worker` in the module that makes the Celery application"
        message = f"`overlap: skip` has no effect, as the application does not track runs: {first_names(names, _NAMED)}"
        yield Finding("SS313", message, hint=hint, severity="warning")
