"""The schedules in the tables, and when they ran last."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta, timezone
from typing import Any

#: The minutes of the crontabs.
_MINUTES = 60
#: From this number of schedules on, writing and loading them takes seconds.
_MANY = 100_000


def fill(size: int, *, every_second: bool = False, last_run: datetime | None = None) -> None:
    """Fill the tables with ``size`` enabled schedules that have their own arguments; None: they ran just now.

    Half of them have crontabs at different minutes, half run once a day; or all run each second. Only on PostgreSQL may
    the tables hold rows before.
    """
    from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTasks

    _empty()
    crontabs = [CrontabSchedule(minute=str(minute), hour=f"*/{1 + minute % 3}") for minute in range(_MINUTES)]
    CrontabSchedule.objects.bulk_create(crontabs)
    interval = IntervalSchedule.objects.create(every=1, period="seconds" if every_second else "days")
    first = CrontabSchedule.objects.order_by("pk").values_list("pk", flat=True)[0]
    _insert(size, interval.pk, None if every_second else first, last_run or datetime.now(timezone.utc))
    PeriodicTasks.update_changed()
    _analyze()


def _empty() -> None:
    from django.db import connection
    from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

    from schedsync.models import Beat, Claim, Lease

    if connection.vendor == "postgresql":
        tables = (PeriodicTask, CrontabSchedule, IntervalSchedule, Claim, Beat, Lease)
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {', '.join(model._meta.db_table for model in tables)} CASCADE")


def _insert(size: int, interval: int, first_crontab: int | None, last_run: datetime) -> None:
    """Copy one row ``size`` times, in the database itself, and delete it."""
    from django.db import connection
    from django_celery_beat.models import PeriodicTask

    model = PeriodicTask.objects.create(
        name="model", task="shop.tasks.sync_tenant", queue="tenants", interval_id=interval, last_run_at=last_run
    )
    odd = f"n.number % 2 = 1 AND {int(first_crontab is not None)} = 1"
    differing = {
        "name": _text("'tenant '", "n.number", "': sync'"),
        "kwargs": _text(f"'{json.dumps({'tenant': 't'})[:-2]}'", "n.number", "'\"}'"),
        "crontab_id": f"CASE WHEN {odd} THEN {first_crontab or 0} + n.number % {_MINUTES} END",
        "interval_id": f"CASE WHEN {odd} THEN NULL ELSE {interval} END",
    }
    columns = [field.column for field in PeriodicTask._meta.concrete_fields if not field.primary_key]
    values = [differing.get(column, f"t.{connection.ops.quote_name(column)}") for column in columns]
    table = PeriodicTask._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(map(connection.ops.quote_name, columns))}) SELECT {', '.join(values)} "
            f"FROM {table} t CROSS JOIN ({_numbers(size)}) n WHERE t.id = {int(model.pk)} ORDER BY n.number"
        )
        cursor.execute(f"DELETE FROM {table} WHERE id = {int(model.pk)}")


def _text(*parts: str) -> str:
    from django.db import connection

    return " || ".join(parts) if connection.vendor == "sqlite" else f"CONCAT({', '.join(parts)})"


def _numbers(size: int) -> str:
    """Return a query of the numbers below ``size``, which all databases understand."""
    digit = "(" + " UNION ALL ".join(f"SELECT {digit} AS d" for digit in range(10)) + ")"
    places = len(str(size - 1))
    value = " + ".join(f"d{place}.d * {10**place}" for place in range(places))
    tables = " CROSS JOIN ".join(f"{digit} d{place}" for place in range(places))
    return f"SELECT {value} AS number FROM {tables} WHERE {value} < {size}"


def make_due() -> None:
    set_last_run(datetime.now(timezone.utc) - timedelta(days=2))


def set_last_run(at: datetime) -> None:
    from django_celery_beat.models import PeriodicTask

    from schedsync.models import Claim

    Claim.objects.all().delete()
    PeriodicTask.objects.update(last_run_at=at)
    _analyze()


def wait_for_minute() -> None:
    """Wait until a minute begins: then no crontab is due for the next 60 seconds."""
    time.sleep(60 - time.time() % 60)


def set_nothing_due(size: int) -> None:
    """Let all have run just now, at the start of a minute if there are many, so that none is due while they load."""
    if size >= _MANY:
        wait_for_minute()
    set_last_run(datetime.now(timezone.utc))


def spread(size: int, *, one_instant: bool = False) -> None:
    """Let schedules that run each second have run just now, spread evenly over one second or at one instant.

    Only on PostgreSQL.
    """
    from django.db import connection
    from django_celery_beat.models import PeriodicTask

    table = PeriodicTask._meta.db_table
    number = "0" if one_instant else f"(id - (SELECT MIN(id) FROM {table}))"
    share = f"{number} * INTERVAL '1 second' / {size}"
    now = "(date_trunc('second', CLOCK_TIMESTAMP()) - INTERVAL '2 seconds')"
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET last_run_at = {now} + {share}, date_changed = {now}")
    _analyze()


def phases() -> dict[str, Any]:
    """Return when each schedule ran last, by its name."""
    from django_celery_beat.models import PeriodicTask

    return dict(PeriodicTask.objects.values_list("name", "last_run_at"))


def change_one() -> None:
    from django_celery_beat.models import PeriodicTask, PeriodicTasks

    PeriodicTask.objects.filter(name="tenant 1: sync").update(kwargs=json.dumps({"tenant": time.time_ns()}))
    PeriodicTasks.update_changed()


def _analyze() -> None:
    """Clean up after a write, so that the measurement does not pay for it."""
    from django.db import connection
    from django_celery_beat.models import PeriodicTask

    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"VACUUM ANALYZE {PeriodicTask._meta.db_table}")
