"""Asks the project's Celery app for its tasks: Beat sends any name, and a worker that does not know it drops it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from celery import current_app
from django_celery_beat.models import PeriodicTask

from schedsync.config import Config
from schedsync.core.application import Application
from schedsync.core.finding import Finding, did_you_mean
from schedsync.core.names import shortened
from schedsync.database.bulk import rows_of
from schedsync.database.faults import database_errors
from schedsync.database.values import read_values, readable
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
    rows = rows_of(PeriodicTask, using).filter(enabled=True).order_by("task", "name")
    with database_errors(using):
        read = read_values(rows, ("task", "name"))
    names: dict[str, list[str]] = {}
    for task, name in read:
        # A task that cannot be read is another finding.
        if readable(task, "") and task not in known.tasks:
            names.setdefault(task, []).append(readable(name, "?"))
    yield from (_finding(task, senders, known) for task, senders in names.items())


def _finding(task: str, senders: list[str], known: Application) -> Finding:
    first = shortened(senders[0])
    subject = f"`{first}` sends" if len(senders) == 1 else f"{len(senders):,} rows, such as `{first}`, send"
    message = f"{subject} the task `{shortened(task)}`, which the application does not register"
    hint = did_you_mean(task, known.tasks) or "deploy the workers that know it, or disable what sends it"
    return Finding(_RULE.code, message, None, hint, "warning")
