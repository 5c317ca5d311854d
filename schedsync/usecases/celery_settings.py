"""Reads the schedules that the project's Celery settings define, and imports the project's tasks."""

from __future__ import annotations

from typing import Any

from schedsync.errors import WrongUsage
from schedsync.importers.celery_settings import BeatSchedule, read_beat_schedule
from schedsync.usecases.project_code import project_code


def beat_schedule_names() -> frozenset[str]:
    """Return the names in ``CELERY_BEAT_SCHEDULE``, which Beat writes into the table at every start.

    May import the project's Celery app, so call it before a transaction opens.
    """
    from celery import current_app
    from django.conf import settings

    with project_code("the settings of Celery cannot be read", "correct it there"):
        names = set(getattr(settings, "CELERY_BEAT_SCHEDULE", None) or {})
        if not current_app.loader or type(current_app.loader).__name__ != "Loader":
            names |= set(current_app.conf.beat_schedule or {})
        return frozenset(map(str, names))


def celery_app() -> Any:
    """Return the project's Celery app, None if importing the project has made none."""
    from celery import current_app

    app: Any = current_app
    return None if type(app.loader).__name__ == "Loader" else app


def beat_schedule() -> BeatSchedule:
    """Return the schedules of the Celery app's settings, with those that its modules add by ``add_periodic_task``.

    Django must be set up. Raises WrongUsage if the project has no Celery app, or if its code fails.
    """
    app = celery_app()
    if app is None:
        hint = "import the Celery app in the project's `__init__.py`, as Celery's guide for Django says"
        raise WrongUsage("the project has no Celery app", hint=hint)
    import_tasks(app)
    with project_code("the settings of Celery cannot be read", "correct it there"):
        app.finalize(auto=True)
        return read_beat_schedule(dict(app.conf.beat_schedule or {}), app.timezone)


def import_tasks(app: Any) -> None:
    """Import the modules of a Celery app's tasks, as a worker does; raises WrongUsage where one of them fails."""
    with project_code(
        "the tasks of the Celery app cannot be imported", "correct it there; a worker fails in the same way"
    ):
        app.loader.import_default_modules()
