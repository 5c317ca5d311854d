"""The rows that say when: shared by tasks, normal to stand there twice, and never edited in place."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any

from django.db.models import Exists, Model, OuterRef, Q, QuerySet

from schedsync.core.timing import Crontab, Interval, Solar, Timing
from schedsync.statements import BATCH, batches, rows_of
from schedsync.timing_values import TIMING_MODELS


def find_or_make(using: str, timings: Collection[Timing]) -> dict[Timing, int]:
    """Find or make the schedule rows; never by ``get_or_create``: duplicates are normal in these tables."""
    result: dict[Timing, int] = {}
    for kind, model in TIMING_MODELS.items():
        wanted = {timing: timing_columns(timing) for timing in timings if timing.kind == kind}
        if not wanted:
            continue
        found = _existing(using, model, wanted)
        missing = [model(**columns) for timing, columns in wanted.items() if timing not in found]
        if missing:
            rows_of(model, using).bulk_create(missing, batch_size=BATCH)
            found = _existing(using, model, wanted)
        result.update(found)
    return result


def _existing(using: str, model: type[Model], wanted: Mapping[Timing, Mapping[str, Any]]) -> dict[Timing, int]:
    names = list(next(iter(wanted.values())))
    rows = rows_of(model, using).values_list("pk", *names).order_by("-pk")
    if "timezone" in names:
        # A zone that this host does not know must not keep us from reading the others.
        rows = rows.filter(timezone__in={columns["timezone"] for columns in wanted.values()})
    by_values = {tuple(map(str, values)): pk for pk, *values in rows.iterator(chunk_size=5000)}
    keys = ((timing, tuple(str(value) for value in columns.values())) for timing, columns in wanted.items())
    return {timing: by_values[key] for timing, key in keys if key in by_values}


def timing_columns(timing: Timing) -> dict[str, Any]:
    """Return the columns of the schedule row that stands for a timing."""
    if isinstance(timing, Crontab):
        return asdict(timing)
    if isinstance(timing, Interval):
        every, period = timing.every
        return {"every": every, "period": period}
    if isinstance(timing, Solar):
        return asdict(timing)
    return {"clocked_time": timing.at}


def collect_all_orphans(using: str, candidates: Mapping[str, Collection[int]]) -> None:
    """Collect the orphans among schedule rows, given as ids by kind."""
    for kind, ids in candidates.items():
        collect_orphans(using, kind, ids)


def collect_orphans(using: str, kind: str, ids: Collection[int]) -> None:
    """Delete those of the schedule rows to which nothing at all refers, neither a task nor another app's table."""
    model = TIMING_MODELS[kind]
    for some in batches(sorted(ids)):
        unreferenced_rows(using, model).filter(pk__in=some)._raw_delete(using)


def unreferenced_rows(using: str, model: type[Model]) -> QuerySet[Any]:
    """Return the rows of a model to which no foreign key of any installed model refers."""
    referred = Q()
    for relation in model._meta.related_objects:
        column = relation.field.attname
        others = relation.field.model._base_manager.using(using).filter(**{column: OuterRef("pk")})
        referred |= Q(Exists(others))
    rows = rows_of(model, using)
    return rows.filter(~referred) if referred else rows
