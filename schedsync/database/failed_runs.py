"""Schedules whose last runs failed, as django-celery-results has them; only its table is read, never its models."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.apps import apps
from django.db import connections, router
from django.utils.dateparse import parse_datetime
from django_celery_beat.models import PeriodicTask

from schedsync.database.bulk import batches

_APP, _TABLE = "django_celery_results", "django_celery_results_taskresult"
#: How many failures one look reads, the newest ones.
_MOST = 10_000
#: This number of failures in a row is an alarm; one alone can be a coincidence.
_IN_A_ROW = 2


def results_alias(using: str) -> str | None:
    """Return the alias of the database with the results of tasks; None if it has no such table.

    If the app is not among the installed ones, that of the schedules is asked: the workers may have it.
    """
    alias = str(router.db_for_read(apps.get_model(_APP, "TaskResult"))) if apps.is_installed(_APP) else using
    return alias if _TABLE in connections[alias].introspection.table_names() else None


def failing_schedules(using: str, alias: str, since: datetime) -> dict[str, int]:
    """Return the enabled schedules whose last runs failed, with the number of these runs since a time.

    A single failure counts only if no run since that time is known to have succeeded. Three statements, and more only
    above some hundred names.
    """
    failures: dict[str, list[Any]] = {}
    for name, done in _failures(alias, since):
        failures.setdefault(name, []).append(done)
    good = dict(_last_successes(alias, sorted(failures), since))
    after = {
        name: len(found) if name not in good else sum(done > good[name] for done in found)
        for name, found in failures.items()
    }
    wanted = sorted(name for name, count in after.items() if count >= (_IN_A_ROW if name in good else 1))
    return {name: after[name] for name in _enabled(using, wanted)}


def _failures(alias: str, since: datetime) -> list[tuple[str, Any]]:
    sql = f"""
        SELECT periodic_task_name, date_done FROM {_TABLE}
        WHERE status = 'FAILURE' AND date_done >= %s AND periodic_task_name IS NOT NULL
        ORDER BY date_done DESC LIMIT {_MOST}
    """
    return _rows(alias, sql, [_adapted(alias, since)])


def _last_successes(alias: str, names: list[str], since: datetime) -> Iterable[tuple[str, Any]]:
    for batch in batches(names):
        marks = ", ".join(["%s"] * len(batch))
        sql = f"""
            SELECT periodic_task_name, MAX(date_done) FROM {_TABLE}
            WHERE status = 'SUCCESS' AND date_done >= %s AND periodic_task_name IN ({marks})
            GROUP BY periodic_task_name
        """
        yield from _rows(alias, sql, [_adapted(alias, since), *batch])


def _rows(alias: str, sql: str, values: list[Any]) -> list[Any]:
    with connections[alias].cursor() as cursor:
        cursor.execute(sql, values)
        # SQLite gives the greatest instant as text.
        return [(name, parse_datetime(done) if isinstance(done, str) else done) for name, done in cursor.fetchall()]


def _adapted(alias: str, at: datetime) -> Any:
    return connections[alias].ops.adapt_datetimefield_value(at)


def _enabled(using: str, names: list[str]) -> Iterable[str]:
    for batch in batches(names):
        rows = PeriodicTask.objects.using(using).filter(name__in=batch, enabled=True)
        yield from set(rows.values_list("name", flat=True)) & set(batch)
