"""Checks what the role of the database may do with the tables, for ``schedsync doctor``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.db import DatabaseError, connections, transaction
from django_celery_beat.models import PeriodicTask, PeriodicTasks

from schedsync import models
from schedsync.core.finding import Finding
from schedsync.database.faults import Fault, fault_of
from schedsync.database.schedule_rows import TIMING_MODELS


def rights_findings(using: str) -> Iterator[Finding]:
    """Yield an error for each right on a table that the role lacks.

    Each kind of statement is tried in a form that changes no row, and rolled back.
    """
    ours = (
        models.ManagedSchedule, models.Pause, models.Removal, models.RolledBack, models.StandingPause, models.SyncRun,
        models.HistoryName, models.Monitor, models.ApplyLock, models.AppliedFiles, models.EnvironmentBinding,
        models.FullPause, models.BreakGlass, models.Rollout,
    )  # fmt: skip
    for model in (PeriodicTask, PeriodicTasks, *TIMING_MODELS.values(), *ours):
        table = model._meta.db_table
        for right, run_statement in _harmless(using, model).items():
            try:
                with transaction.atomic(using=using):
                    run_statement()
            except DatabaseError as error:
                if fault_of(error, using) not in (Fault.RIGHTS, Fault.READ_ONLY):
                    raise
                yield Finding("SS311", f"no right to {right} in {table}", hint=f"GRANT {right.upper()} ON {table}")


def _harmless(using: str, model: type[Any]) -> dict[str, Callable[[], object]]:
    rows = model._default_manager.using(using).filter(pk=None).order_by()
    quoted = connections[using].ops.quote_name
    table = quoted(model._meta.db_table)
    names = [quoted(field.column) for field in model._meta.concrete_fields]
    columns, column = ", ".join(names), names[-1]

    def execute(sql: str) -> None:
        with connections[using].cursor() as cursor:
            cursor.execute(sql)

    return {
        "select": lambda: list(rows[:1]),
        "insert": lambda: execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {table} WHERE 1 = 0"),
        "update": lambda: execute(f"UPDATE {table} SET {column} = {column} WHERE 1 = 0"),
        "delete": lambda: execute(f"DELETE FROM {table} WHERE 1 = 0"),
    }
