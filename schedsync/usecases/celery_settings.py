"""Reads the schedules that the project's Celery settings define."""

from __future__ import annotations


def beat_schedule_names() -> frozenset[str]:
    """Return the names in ``CELERY_BEAT_SCHEDULE``, which Beat writes into the table at every start.

    May import the project's Celery app, so call it before a transaction opens.
    """
    from celery import current_app
    from django.conf import settings

    names = set(getattr(settings, "CELERY_BEAT_SCHEDULE", None) or {})
    if not current_app.loader or type(current_app.loader).__name__ != "Loader":
        names |= set(current_app.conf.beat_schedule or {})
    return frozenset(names)
