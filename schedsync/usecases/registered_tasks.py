"""Asks the project's Celery app for its tasks: Beat sends any name, and a worker that does not know it drops it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from celery import current_app
from django.db.models import Count, Min
from django_celery_beat.models import PeriodicTask

from schedsync.config import Config
from schedsync.core.application import Application
from schedsync.core.finding import Finding, did_you_mean
from schedsync.core.names import shortened
from schedsync.database.faults import database_errors
from schedsync.errors import WrongUsage
from schedsync.lint import RULES, lint_each
from schedsync.lint.rule import Context
from schedsync.usecases.snapshot import application_of
from schedsync.usecases.target import Files

_RULE = RULES["SS219"]


def application() -> Application | None:
    """Return what the project's Celery app knows; None if the project has none, or if its tasks cannot be imported.

    Imports the modules of the tasks, as a worker does, so call it before a transaction opens.
    """
    try:
        return application_of(current_app)
    except WrongUsage:
        return None


def findings_of_files(files: Files, config: Config, now: datetime) -> list[Finding]:
    """Return a finding for each task in the files that the application does not register."""
    if not _RULE.chosen(config.lint) or (known := application()) is None:
        return []
    options = replace(config.lint, select=(_RULE.code,), extend_select=())
    context = Context(tuple(files.desired.schedules.values()), now, options, known)
    # The schedules of one definition are at one place.
    return list(dict.fromkeys(lint_each(context, files.set.ignores)))


def findings_of_rows(using: str) -> Iterator[Finding]:
    """Yield a finding for each task of enabled rows that the application does not register."""
    if (known := application()) is None:
        return
    rows = PeriodicTask._default_manager.using(using).filter(enabled=True).order_by("task").values("task")
    with database_errors(using):
        counted = list(rows.annotate(rows=Count("pk"), first=Min("name")))
    for each in counted:
        if each["task"] not in known.tasks:
            yield _finding(str(each["task"]), each["rows"], str(each["first"]), known)


def _finding(task: str, rows: int, first: str, known: Application) -> Finding:
    subject = f"`{shortened(first)}` sends" if rows == 1 else f"{rows:,} rows, such as `{shortened(first)}`, send"
    message = f"{subject} the task `{shortened(task)}`, which the application does not register"
    hint = did_you_mean(task, known.tasks) or "deploy the workers that know it, or disable what sends it"
    return Finding(_RULE.code, message, None, hint, "warning")
