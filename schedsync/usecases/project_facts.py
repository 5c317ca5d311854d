"""Finds out what `schedsync init` should know: the project's name, its Celery app, its rows, and its Beat."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import django
from django.conf import settings
from django_celery_beat.models import PeriodicTask

from schedsync.core.names import set_name_problem
from schedsync.core.setup import BeatSeen, Found
from schedsync.database.beats import last_beat, live_beats, read_reports
from schedsync.database.bulk import rows_of
from schedsync.database.faults import database_errors
from schedsync.database.management import unmanaged
from schedsync.git.repository import root_of
from schedsync.usecases.celery_settings import celery_app
from schedsync.usecases.import_both import Existing
from schedsync.usecases.project_layout import ci_of, remote_of

#: Names of packages and directories that many projects have, so that they say nothing about one of them.
_GENERIC: Final = frozenset(
    {
        "", "api", "app", "apps", "backend", "base", "code", "conf", "config", "configuration", "core", "default",
        "django", "main", "proj", "project", "server", "service", "settings", "src", "web", "workspace",
    }
)  # fmt: skip


def find_project(using: str, existing: Existing) -> Found:
    """Return what the project has; Django must be set up.

    Raises Unavailable where the database does not answer or is not migrated.
    """
    app = celery_app()
    root = root_of(Path())
    with database_errors(using):
        rows, beat = unmanaged(using).count, _beat_seen(using)
    return Found(
        project=project_name(app, root),
        django=".".join(map(str, django.VERSION[:2])),
        celery_app=None if app is None else str(app.main or ""),
        rows=rows,
        entries=len(existing.entries),
        entries_with_rows=len(existing.entries & {row.name for row in existing.tables.rows}),
        beat=beat,
        ci=ci_of(root),
        has_git=root is not None,
        has_remote=remote_of(root) is not None,
    )


def project_name(app: Any, root: Path | None) -> str:
    """Return the name of the settings' package, of the Celery app or of a directory: the first that says something."""
    module = str(getattr(settings, "SETTINGS_MODULE", "") or "")
    names = [module.partition(".")[0], str(getattr(app, "main", None) or "").rpartition(".")[2]]
    names += [directory.name for directory in (Path.cwd().resolve(), root) if directory is not None]
    usable = [name for name in names if not set_name_problem(name) and name.lower() != "default"]
    telling = [name for name in usable if name.lower() not in _GENERIC]
    return next(iter([*telling, *usable]), "schedules")


def _beat_seen(using: str) -> BeatSeen:
    """Return which Beat is seen. Stock Beat registers nowhere: only the last runs that it has written are seen."""
    if live_beats(using):
        return "own"
    has_run = rows_of(PeriodicTask, using).filter(last_run_at__isnull=False).exists()
    return "stock" if has_run and last_beat(using, read_reports(using).values()) is None else "unknown"
