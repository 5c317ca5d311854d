"""The Django app; it writes nothing when it is loaded."""

from __future__ import annotations

from django.apps import AppConfig


class SchedsyncConfig(AppConfig):
    """Registers the system checks, and the signal that tells Beats about a change."""

    name = "schedsync"
    verbose_name = "Schedules in Git"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks, and connect to the signal of the change row."""
        from django.core import checks
        from django.db.models.signals import post_save
        from django_celery_beat.models import PeriodicTasks

        from schedsync.database.notify import on_bump
        from schedsync.usecases.system_checks import check_database, check_settings

        checks.register(check_settings, "schedsync")
        checks.register(check_database, checks.Tags.database)
        post_save.connect(on_bump, sender=PeriodicTasks, dispatch_uid="schedsync.notice")
