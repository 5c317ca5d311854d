"""How long runs take, as far as django-celery-results keeps it: it has when a run started and when it ended."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from celery.states import SUCCESS
from django.apps import apps
from django.db import DatabaseError, InterfaceError, router
from django.db.models import Max, Model, Window
from django.db.models.functions import RowNumber

from schedsync.database.tables import has_table
from schedsync.database.values import NOT_CONVERTED

_APP = "django_celery_results"
#: How many of the last runs of a schedule are looked at, and how many of the last results of all tasks.
_RUNS, _RESULTS = 5, 100_000
_LONGEST = timedelta(days=31)


def typical_seconds() -> dict[str, float]:
    """Return how many seconds a run takes, by the name of its schedule: the median of the last five that succeeded.

    Two queries. Empty where django-celery-results is not installed, is older than 2.6, or cannot be read. A schedule is
    missing where its start is not known: the project needs ``task_track_started`` and ``result_extended``.
    """
    model = _results()
    if model is None:
        return {}
    using = router.db_for_read(model)
    try:
        return _typical(model, using) if has_table(using, model) else {}
    except (DatabaseError, InterfaceError, *NOT_CONVERTED):
        return {}


def _results() -> type[Model] | None:
    if not apps.is_installed(_APP):
        return None
    model = apps.get_model(_APP, "TaskResult")
    return model if "date_started" in {field.name for field in model._meta.fields} else None


def _typical(model: type[Model], using: str) -> dict[str, float]:
    known: dict[str, list[float]] = defaultdict(list)
    for name, started, done in _last_runs(model, using):
        if timedelta() <= done - started <= _LONGEST:
            known[name].append((done - started).total_seconds())
    return {name: median(seconds) for name, seconds in known.items()}


def _last_runs(model: type[Model], using: str) -> list[tuple[str, datetime, datetime]]:
    results: Any = model._default_manager.using(using).order_by()
    newest = results.aggregate(newest=Max("pk"))["newest"] or 0
    runs = results.filter(pk__gt=newest - _RESULTS, status=SUCCESS, date_started__isnull=False)
    nth = Window(RowNumber(), partition_by="periodic_task_name", order_by="-pk")
    runs = runs.exclude(periodic_task_name=None).annotate(nth=nth).filter(nth__lte=_RUNS)
    return list(runs.values_list("periodic_task_name", "date_started", "date_done"))
