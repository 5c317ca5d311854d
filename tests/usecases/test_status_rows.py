"""What ``status`` finds by SQL is what it would find in all rows."""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule

from schedsync.calendar.overdue import Moment, latest_late_run
from schedsync.calendar.ticks import tick_after
from schedsync.core.timing import Crontab, Interval
from schedsync.database import status_rows
from schedsync.database.clock import now
from schedsync.database.observe import observe_rows
from schedsync.database.schedule_status import ScheduleReader
from schedsync.models import ManagedSchedule, Pause
from schedsync.usecases.status import status
from tests.conftest import NOW

NAMES = "aÄzé_-ß.Z 9本\U0001f680"
TASKS = ("t", "T", "t ", "celery.ping", "é")
TEXTS = ("", "[]", "{}", "[1]", '{"a": 1}', "{", "7", '{"a": NaN}', '{"a": 1e999}', "[" * 101 + "]" * 101, " ", "[] ")
TEXTS += (
    "\uff3b\uff3d",
    "\ufeff[]",
    "[]\n",
    "[\x0b]",
    "[" * 50_000,
    '["\\udc00"]',
    "[-0, 1e-999]",
    f"[{'1, ' * 20_000}2]",
)
AGES = (None, 0, 1, 5, 29, 59, 60, 61, 299, 300, 301, 3600, 86400, 40 * 86400)


def timings(using: str) -> list[dict[str, Any]]:
    """Make schedule rows of all kinds, good and bad."""
    intervals = [("60", "seconds"), ("5", "minutes"), ("0", "seconds"), ("1", "fortnights"), ("1", "days")]
    crontabs = [("*", "*"), ("0", "3"), ("*/", "*"), ("30", "2"), ("0", "10"), ("59", "9")]
    made: list[dict[str, Any]] = []
    for every, period in intervals:
        made.append({"interval": IntervalSchedule.objects.using(using).create(every=int(every), period=period)})
    for number, (minute, hour) in enumerate(crontabs):
        zone = "Europe/Berlin" if number % 2 else "UTC"
        crontab = CrontabSchedule.objects.using(using).create(minute=minute, hour=hour, timezone=zone)
        made.append({"crontab": crontab})
    solar = SolarSchedule.objects.using(using).create(event="sunrise", latitude=52.5, longitude=13.4)
    made.append({"solar": solar})
    for hours in (-1, 1):
        at = NOW + timedelta(hours=hours)
        made.append({"clocked": ClockedSchedule.objects.using(using).create(clocked_time=at)})
    return made


def random_row(chance: random.Random, number: int, timings: list[dict[str, Any]]) -> PeriodicTask:
    age = chance.choice(AGES)
    columns = chance.choice(timings)
    if chance.random() < 0.03:
        columns = chance.choice(({}, {**timings[0], **timings[5]}))
    return PeriodicTask(
        name=f"{''.join(chance.choice(NAMES) for _ in range(3))}{number}",
        task=chance.choice(TASKS),
        args=chance.choice(TEXTS) if chance.random() < 0.1 else "[]",
        kwargs=chance.choice(TEXTS) if chance.random() < 0.1 else chance.choice(("{}", '{"tenant": "x"}')),
        headers=chance.choice(TEXTS) if chance.random() < 0.05 else "{}",
        expires=chance.choice((None, None, None, NOW - timedelta(hours=1), NOW, NOW + timedelta(hours=1))),
        expire_seconds=chance.choice((None, None, None, 60, 0)),
        start_time=chance.choice((None, None, None, NOW - timedelta(minutes=7), NOW, NOW + timedelta(hours=1))),
        one_off=chance.random() < (0.9 if "clocked" in columns else 0.1),
        enabled=chance.random() < 0.8,
        last_run_at=None if age is None else NOW - timedelta(seconds=age, microseconds=chance.choice((0, 0, 1))),
        total_run_count=chance.choice((0, 0, 3)),
        **columns,
    )


def fill(using: str, chance: random.Random, count: int = 400) -> None:
    made = timings(using)
    PeriodicTask.objects.using(using).bulk_create(random_row(chance, number, made) for number in range(count))
    ids = dict(PeriodicTask.objects.using(using).order_by("pk").values_list("name", "pk"))
    for pk in ids.values():
        # Saving sets it to the time now.
        changed = chance.choice((NOW - timedelta(days=40), NOW - timedelta(days=1), NOW))
        PeriodicTask.objects.using(using).filter(pk=pk).update(date_changed=changed)
    some = sorted(ids)[::7]
    Pause.objects.using(using).bulk_create(
        Pause(name=name, reason="r", who="w", since=NOW - timedelta(days=chance.choice((1, 50)))) for name in some[:20]
    )
    ManagedSchedule.objects.using(using).bulk_create(
        ManagedSchedule(
            set="s", name=name, row_id=ids[name], applied="{}",
            applied_at=NOW - timedelta(days=chance.choice((1, 50))),
            missed_runs=chance.choice(("latest", "none", "all")), starting_deadline=chance.choice((None, 30, 600)),
        )
        for name in some
    )  # fmt: skip


def readers(using: str) -> list[ScheduleReader]:
    grace = timedelta(seconds=60)
    since = (None, NOW - timedelta(seconds=90), NOW - timedelta(days=2))
    return [
        ScheduleReader(using, Moment(NOW, leads_since, deadline), grace)
        for leads_since in since
        for deadline in (None, 45)
    ]


@pytest.mark.parametrize("seed", range(6))
def test_sql_finds_what_reading_all_rows_finds(
    using: str, clock: Any, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(using, random.Random(seed))
    if seed % 2:
        monkeypatch.setattr("schedsync.database.status_rows._FEW", 2)
        monkeypatch.setattr("schedsync.database.observe._FEW", 2)
    rows = observe_rows(using).rows.values()
    for reader in readers(using):
        found = reader._from_sql()

        assert found == reader.from_rows(rows)
        assert min(found.overdue.count, found.broken.count, found.never_ran.count, found.enabled) > 0
    assert found.disabled_long.count > 0


def test_where_a_column_cannot_be_read_all_rows_are(using: str, clock: Any) -> None:
    fill(using, random.Random(1), 30)
    name = PeriodicTask.objects.using(using).filter(enabled=True).values_list("name", flat=True)[0]
    value = {"postgresql": "'infinity'", "mysql": "'0001-01-01'"}.get(
        connections[using].vendor, "'2026-13-45 00:00:00'"
    )
    with connections[using].cursor() as cursor:
        cursor.execute(f"UPDATE django_celery_beat_periodictask SET last_run_at = {value} WHERE name = %s", [name])
    reader = readers(using)[0]

    with pytest.raises(status_rows.ReadInstead):
        reader._from_sql()
    assert name in [broken.name for broken in reader.read().broken.first]
    assert reader.read() == reader.from_rows(observe_rows(using).rows.values())


def test_where_too_many_rows_cannot_run_all_rows_are_read(
    using: str, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(using, random.Random(2), 100)
    monkeypatch.setattr("schedsync.database.schedule_status.MOST", 5)
    reader = readers(using)[0]

    with pytest.raises(status_rows.ReadInstead):
        reader._from_sql()
    assert reader.read() == reader.from_rows(observe_rows(using).rows.values())


def test_the_number_of_queries_does_not_grow(using: str, clock: Any) -> None:
    every = IntervalSchedule.objects.using(using).create(every=1, period="hours")
    counts = []
    for start, end in ((0, 1500), (1500, 3500)):
        PeriodicTask.objects.using(using).bulk_create(
            PeriodicTask(name=f"n{number}", task="t", interval=every, last_run_at=NOW, kwargs=f'{{"n": {number}}}')
            for number in range(start, end)
        )
        with CaptureQueriesContext(connections[using]) as queries:
            assert status(using).schedules.enabled == end
        counts.append(len(queries))

    assert counts[0] == counts[1] < 40


@pytest.mark.parametrize("zone", ["Europe/Berlin", "UTC", "America/St_Johns", "Australia/Lord_Howe"])
def test_no_later_run_is_late_than_the_bound_says(zone: str) -> None:
    """Also on the days on which clocks change."""
    chance = random.Random(zone)
    hours = ("2", "1,2,3", "*")
    hours = ("2", "1,2,3", "*")
    crontabs = [Crontab(minute, hour, "*", "*", "*", zone) for minute in ("0", "30") for hour in hours]
    for day in (
        datetime(2026, 3, 29),
        datetime(2026, 10, 25),
        datetime(2026, 11, 1),
        datetime(2026, 4, 5),
        datetime(2026, 3, 8),
    ):
        for timing in [*crontabs, Interval(10**6 * 300)]:
            for _ in range(40):
                moment = (day + timedelta(minutes=chance.randrange(1500))).replace(tzinfo=timezone.utc)
                runs = sorted(moment - timedelta(seconds=chance.randrange(200_000)) for _ in range(5))
                bound = latest_late_run(timing, runs[0], moment)
                for run in runs:
                    following = tick_after(timing, run)
                    if following is not None and following <= moment:
                        assert bound is not None
                        assert run <= bound


def test_tasks_that_differ_in_case_only_are_two(using: str, clock: Any) -> None:
    every = IntervalSchedule.objects.using(using).create(every=1, period="hours")
    rows = PeriodicTask.objects.using(using)
    for name, task in (("a", "celery.ping"), ("b", "Celery.Ping"), ("c", "celery.ping ")):
        rows.create(name=name, task=task, interval=every, last_run_at=now())

    assert status(using).schedules.unregistered.first[-2:] == ("b", "c")
