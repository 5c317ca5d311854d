"""The Django app; it writes nothing when it is loaded."""

from __future__ import annotations

from django.apps import AppConfig


class SchedsyncConfig(AppConfig):
    """Registers the system checks."""

    name = "schedsync"
    verbose_name = "Schedules in Git"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Import the checks, which register themselves with Django."""
        from schedsync import checks  # noqa: F401
