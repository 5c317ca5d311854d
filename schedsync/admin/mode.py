"""What the setting ``SCHEDSYNC_ADMIN`` lets people do with managed rows."""

from __future__ import annotations

from django.db import router
from django_celery_beat.models import PeriodicTask

from schedsync.errors import WrongUsage
from schedsync.usecases.admin_rows import READONLY, admin_mode


def mode() -> str:
    """Return the mode; the strictest one where the setting is wrong, which is an error of Django's system checks."""
    try:
        return admin_mode()
    except WrongUsage:
        return READONLY


def alias() -> str:
    """Return the database of the schedules, to which Beat writes."""
    return str(router.db_for_write(PeriodicTask))
