"""The Django app; it writes nothing when it is loaded."""

from __future__ import annotations

from django.apps import AppConfig


class SchedsyncConfig(AppConfig):
    """Registers the system checks, and what passes changes on to waiting Beats."""

    name = "schedsync"
    verbose_name = "Schedules in Git"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Import the checks, which register themselves with Django, and connect to the change row's signal."""
        from django.db.models.signals import post_save
        from django_celery_beat.models import PeriodicTasks

        from schedsync import checks  # noqa: F401
        from schedsync.notice import on_bump

        post_save.connect(on_bump, sender=PeriodicTasks, dispatch_uid="schedsync.notice")
