"""No value of any column ends a verb in a traceback, and an apply repairs managed rows. Plain SQL writes the values."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from celery import current_app
from django.db import DatabaseError, connections
from django.db.models import Model
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)

from schedsync.models import ApplyLock, Beat, ManagedSchedule, Pause, SyncRun
from tests.conftest import Project

_TEXTS = (
    "", " ", "x", "x" * 180, "a\nb\x1b[31m", "a\x00b", "caf\u00e9", "\u202e", "\U0001f389", "'; DROP", "null", "abc",
    "[", "[" * 100_000, "[" * 101 + "]" * 101, "[" * 900 + "]" * 900, '{"a": NaN}', "[1e999]", '["\\ud800"]',
    '{"a": {"\\ud800": 1}}', f"[{'9' * 5000}]", "1", "true", "[]", "{}", '{"a": 1}', '{"labels": 3}', '{"owner": 3}',
    '{"task": 1, "timing": {"every": "1m"}}', '{"task": "t", "timing": {"crontab": "* * * *"}}', "*/", "*/0", "7",
    "1-", "99", "weeks", "days", "Mars/Olympus", "../../etc/passwd", "infinity", "-infinity", "NaN",
    "0000-00-00 00:00:00", "0001-01-01 00:00:00", "0044-03-15 00:00:00 BC", "1969-12-31 23:59:59",
    "2026-02-30 00:00:00", "9990-12-31 23:59:59", "9999-12-31 23:59:59", "20000-01-01 00:00:00",
)  # fmt: skip
_NUMBERS = (None, 0, -1, 2, 1.5, 32767, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63), 1e300)
#: What only SQLite takes: it has no types of columns.
_SQLITE = ("x'ff00'", "CAST(x'ff41' AS TEXT)", "9e999", "-9e999", "CAST('12' AS TEXT)")
_TIMINGS: dict[type[Model], str] = {
    IntervalSchedule: "every: {n}s",
    CrontabSchedule: "crontab: '{m} {h} * * *'",
    SolarSchedule: "solar: {{event: sunset, latitude: 1.{n}, longitude: 2}}",
    ClockedSchedule: "at: 2090-01-01T{h:02}:{m:02}:00Z",
}
_TABLES = (PeriodicTask, *_TIMINGS, ManagedSchedule, Pause, SyncRun, ApplyLock, Beat)
_COLUMNS = [(model, field.column) for model in _TABLES for field in model._meta.concrete_fields if field.column != "id"]
#: An apply is refused: another set or environment has the rows then.
_REFUSED = {(ManagedSchedule, "set"), (ManagedSchedule, "name"), (SyncRun, "environment"), (SyncRun, "path")}
_REFUSED |= {(SyncRun, "repository"), (SyncRun, "at")}
#: The schedules that `why` is asked about.
_ASKED = ("s0", "s7", "s30", "s47", "s60", "other s3")
_COUNT = len(_TEXTS) + len(_NUMBERS) + len(_SQLITE)


def _schedules(model: type[Model]) -> str:
    timing = _TIMINGS.get(model, _TIMINGS[IntervalSchedule])
    return "".join(f"  s{n}: {{task: t, {timing.format(n=n + 100, m=n % 60, h=n // 60)}}}\n" for n in range(_COUNT))


@contextmanager
def _unchecked(using: str) -> Iterator[Any]:
    """A cursor for which the database checks as little as it can."""
    on, off = {
        "sqlite": (
            ("PRAGMA foreign_keys = OFF", "PRAGMA ignore_check_constraints = ON"),
            ("PRAGMA foreign_keys = ON", "PRAGMA ignore_check_constraints = OFF"),
        ),
        "postgresql": (("SET session_replication_role = replica",), ("SET session_replication_role = DEFAULT",)),
        "mysql": (
            ("SET foreign_key_checks = 0", "SET sql_mode = ''", "SET check_constraint_checks = 0"),
            ("SET foreign_key_checks = 1", "SET sql_mode = DEFAULT", "SET check_constraint_checks = 1"),
        ),
    }[connections[using].vendor]
    with connections[using].cursor() as cursor:
        for statement in on:
            cursor.execute(statement)
        try:
            yield cursor
        finally:
            for statement in off:
                cursor.execute(statement)


def _spoil(using: str, model: type[Model], column: str) -> int:
    """Give each row another value in a column; returns how many values the database took."""
    quote = connections[using].ops.quote_name
    taken = 0
    with _unchecked(using) as cursor:
        ids = list(model._default_manager.using(using).order_by("pk").values_list("pk", flat=True))
        sql = [("%s", [value]) for value in (*_TEXTS, *_NUMBERS)]
        if connections[using].vendor == "sqlite":
            sql += [(literal, []) for literal in _SQLITE]
        key = quote(model._meta.pk.column)
        for number, row_id in enumerate(ids):
            # A table of one row gets all values; the last one that the database takes stays.
            for value, parameters in sql if len(ids) == 1 else [sql[number % _COUNT % len(sql)]]:
                statement = f"UPDATE {quote(model._meta.db_table)} SET {quote(column)} = {value} WHERE {key} = %s"
                key_value = model._meta.pk.get_db_prep_value(row_id, connections[using])
                with suppress(DatabaseError, ValueError, OverflowError):
                    cursor.execute(statement, [*parameters, key_value])
                    taken += 1
    return taken


def _copy_unmanaged(using: str) -> None:
    """Give each row a twin that nobody manages, on the same schedule row."""
    rows = list(PeriodicTask.objects.using(using).order_by("pk"))
    for row in rows:
        row.pk, row.name = None, f"other {row.name}"
    PeriodicTask.objects.using(using).bulk_create(rows)


def _fill_our_tables(project: Project) -> None:
    using = project.using
    names = [f"s{number}" for number in range(_COUNT)]
    now = PeriodicTask.objects.using(using).values_list("date_changed", flat=True).first()
    Pause.objects.using(using).bulk_create([Pause(name=name, reason="r", who="w", since=now) for name in names])
    run = SyncRun.objects.using(using).get()
    SyncRun.objects.using(using).bulk_create(
        [SyncRun(verb="apply", set=run.set, who="w", at=run.at, path=run.path) for _ in names]
    )
    Beat.objects.using(using).bulk_create(
        [Beat(host="h", pid=1, election="database", started_at=now, seen_at=now, leads=True) for _ in names]
    )


def _words(project: Project) -> dict[str, list[str]]:
    where = ["--database", project.using]
    return {
        "plan": ["plan", "schedules", *where, "--format", "json"],
        "plan as text": ["plan", "schedules", *where],
        "drift": ["drift", "schedules", *where],
        "status": ["status", *where],
        "doctor": ["doctor", *where],
        **{f"why {name}": ["why", name, *where] for name in _ASKED},
        "history": ["history", "--verbose", *where],
        "history of a name": ["history", _ASKED[0], *where],
        "snapshot": ["snapshot", "schedules", *where, "--out", "snapshot.json"],
        "forecast": ["forecast", "schedules", "--against", "snapshot.json"],
        "plan against": ["plan", "schedules", "--against", "snapshot.json"],
        "apply": ["apply", "schedules", *where, "--yes", "--settle", "0", "--allow-stops", "1000"],
        "plan again": ["plan", "schedules", *where, "--format", "json"],
    }


def _allowed(verb: str) -> tuple[int, ...]:
    """Return the exit codes of a verb; a name that the table has no more is wrong usage."""
    return (0, 1, 2, 3, 64) if verb.startswith("why") else (0, 1, 2, 3)


@pytest.fixture(autouse=True)
def application() -> Iterator[None]:
    """An application with a task, without which there is no snapshot."""

    def run() -> None: ...

    current_app.task(name="t", shared=False)(run)
    current_app.finalize(auto=True)
    yield
    current_app.tasks.pop("t")


@pytest.fixture
def project(project: Project) -> Iterator[Project]:
    """A database whose apply lock no other test sees."""
    yield project
    ApplyLock.objects.using(project.using).all()._raw_delete(project.using)
    # Other tests count on the row that `migrate` makes.
    ApplyLock.objects.using(project.using).create(pk=1)


@pytest.mark.parametrize(("model", "column"), _COLUMNS, ids=[f"{m.__name__}.{c}" for m, c in _COLUMNS])
def test_no_value_of_a_column_ends_in_a_traceback(
    project: Project, model: type[Model], column: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.schedules(_schedules(model))
    assert project.apply().code == 0
    if model in (Pause, SyncRun, Beat):
        _fill_our_tables(project)
    else:
        _copy_unmanaged(project.using)
    assert _spoil(project.using, model, column) > 0
    project.write(f"version: 1\nschedules:\n{_schedules(model)}  new: {{task: t, every: 9s}}\n")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    codes, answers = {}, {}
    for verb, words in _words(project).items():
        answers[verb] = project.command(*words)
        codes[verb] = answers[verb].code

    assert {verb: answers[verb].err for verb, code in codes.items() if code not in _allowed(verb)} == {}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000
    if codes["apply"] == 3 and (model, column) in _REFUSED:
        return
    plan = json.loads(answers["plan again"].out)
    assert [(change["name"], change["fields"]) for change in plan["changes"]] == []
    assert codes["apply"] == 0


ONE = "  one: {task: t, every: 1m}\n"


def execute(using: str, sql: str, *parameters: object) -> None:
    with connections[using].cursor() as cursor:
        cursor.execute(sql, parameters)


def test_an_interval_of_0_is_said_and_healed(project: Project) -> None:
    project.schedules(ONE)
    assert project.apply().code == 0
    zero = PeriodicTask.objects.get(name="one").interval_id
    execute(project.using, "UPDATE django_celery_beat_intervalschedule SET every = 0")
    PeriodicTask.objects.bulk_create([PeriodicTask(name="other", task="t", interval_id=zero)])
    message = "an interval of 0, Beat sends at every tick"

    assert (project.drift().code, message in project.drift().out, message in project.plan().out) == (2, True, True)
    assert f"`other`: {message}" in project.command("doctor", "--database", project.using).out
    assert project.apply().code == 0
    healed = PeriodicTask.objects.get(name="one").interval
    assert healed is not None
    assert (healed.every, healed.period) == (1, "minutes")
    # The row of the interval is not edited in place: somebody else's task refers to it.
    assert PeriodicTask.objects.get(name="other").interval_id == zero
    assert project.plan("--exit-code").code == 0


def test_a_ledger_entry_that_cannot_be_read_is_written_again(project: Project) -> None:
    project.schedules(ONE)
    assert project.apply().code == 0
    execute(project.using, "UPDATE schedsync_managedschedule SET applied = %s, people = %s", "{oops", "[1]")
    doctor = project.command("doctor", "--database", project.using)

    assert "SS334" in doctor.out
    assert "SS334" in project.plan().out
    assert project.apply().code == 0
    assert ManagedSchedule.objects.get().applied.startswith("{")
    assert "SS334" not in project.command("doctor", "--database", project.using).out + project.plan().out


def test_a_stop_by_a_human_holds_where_the_ledger_cannot_be_read(project: Project) -> None:
    project.schedules(ONE)
    assert project.apply().code == 0
    PeriodicTask.objects.update(enabled=False)
    execute(project.using, "UPDATE schedsync_managedschedule SET applied = %s", "null")

    assert "one: disabled" in project.drift().out
    assert project.apply().code == 0
    assert not PeriodicTask.objects.get().enabled
    assert "one: disabled" in project.drift().out
    assert "SS334" not in project.command("doctor", "--database", project.using).out


def test_instants_outside_the_calendar_are_said_and_healed(project: Project) -> None:
    project.schedules(ONE)
    assert project.apply().code == 0
    execute(project.using, "UPDATE django_celery_beat_periodictask SET last_run_at = %s", "9999-12-31 23:59:59")
    doctor = project.command("doctor", "--database", project.using)

    assert "SS333" in doctor.out
    assert "`last_run_at` is `9999-12-31 23:59:59" in doctor.out
    assert project.apply().code == 0
    last = PeriodicTask.objects.get().last_run_at
    assert last is not None
    assert last.year < 9999
    assert "SS333" not in project.command("doctor", "--database", project.using).out
