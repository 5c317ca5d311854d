"""The Django app; it writes nothing when it is loaded."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig


class SchedsyncConfig(AppConfig):
    """Registers the system checks, the signal that tells Beats about a change, and what the admin adds to schedules."""

    name = "schedsync"
    verbose_name = "Schedules in Git"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks, connect to the signal of the change row, and prepare Django's admin."""
        from django.apps import apps
        from django.core import checks
        from django.db.models.signals import post_save
        from django_celery_beat.models import PeriodicTasks

        from schedsync.database.notify import on_bump

        checks.register(_check_settings, "schedsync")
        checks.register(_check_database, checks.Tags.database)
        post_save.connect(on_bump, sender=PeriodicTasks, dispatch_uid="schedsync.notice")
        if apps.is_installed("django.contrib.admin"):
            from schedsync.admin.sites import prepare_sites

            prepare_sites()


# Each start of Django registers the checks, but few run them: only these import what they need.
def _check_settings(**arguments: Any) -> Any:
    from schedsync.usecases.system_checks import check_settings

    return check_settings(**arguments)


def _check_database(**arguments: Any) -> Any:
    from schedsync.usecases.system_checks import check_database

    return check_database(**arguments)
