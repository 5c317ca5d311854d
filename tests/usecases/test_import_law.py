"""The law of an import, for any content of the tables: nothing but the ledger is written, and nothing is left to do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from django.db import DatabaseError, connections, transaction
from django_celery_beat.models import PeriodicTask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schedsync.database.schedule_rows import TIMING_MODELS
from schedsync.usecases.import_ import ImportForm
from schedsync.usecases.import_database import import_database
from tests.conftest import NOW, Project, empty

LATER, BEFORE = datetime(2035, 6, 1, 12, 30, 15, 123456, timezone.utc), NOW - timedelta(days=400)
INSTANTS = st.sampled_from([None, LATER, BEFORE, LATER + timedelta(microseconds=1), NOW])
NAUGHTY = st.sampled_from([
    "yes", "no", "on", "null", "~", "08:30", "010", "1e5", "0o17", "1_000", ".inf", "2026-12-24", "<<", "=", "*/5",
    "&a", "*a", "!tag", "%x", "@at", "`x`", "- x", "? x", "a: b", "a #b", "#x", "{x}", "{{x}}", "[x]", "it's", '"x"',
    "back\\slash", "\t", "tab\tin", " lead", "trail ", "", "a\nb", "a\r\nb", "a\n", "a\n\n", "\n", "a \nb", "  a\n b",
    "---", "...", "=======", "<<<<<<< x", "***", "a\x85b", "a\u2028b", "\ufeffx", "\u202eevil", "a\xa0b", "\x1b[31m",
    "caf\u00e9", "\U0001f389", "\ue000", "# schedsync: ignore[SS212]", "x" * 199, "long " * 60, "!!python/object:x",
])  # fmt: skip
TEXT = st.one_of(NAUGHTY, st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40))
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXT, st.just(10**40)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=6,
)
ODD_JSON = st.sampled_from(
    ["", " [ ] ", "{ }", '{"a":1,"a":2}', '["\\ud800"]', "{'a': 1}", "[1e400]", "null", "7", "[" * 101 + "]" * 101]
)


def spelled(values: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    """JSON as programs and people write it."""
    return st.builds(
        json.dumps,
        values,
        indent=st.sampled_from([None, 2]),
        ensure_ascii=st.booleans(),
        separators=st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")]),
    )


def json_text(values: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    """JSON in any spelling, and sometimes text that is none."""
    return st.one_of(spelled(values), spelled(values), spelled(values), ODD_JSON)


CRONTAB_PARTS = {
    "minute": ["0", "*/15", "0,15,30,45", "5", "*", "00", "1-59/2", "7 ", "61"],
    "hour": ["2", "*", "2-4", "*/3", "0,12", "02"],
    "day_of_month": ["*", "1", "31", "1-7", "*/2"],
    "month_of_year": ["*", "1,7", "jan", "*/3", "2"],
    "day_of_week": ["*", "mon-fri", "1-5", "sun", "0,6", "7", "fri-mon", "*/2"],
}
ZONES = ["UTC", "Etc/UTC", "GMT", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Mars/Olympus"]
TIMINGS = st.one_of(
    st.tuples(
        st.just("interval"),
        st.fixed_dictionaries({
            "every": st.sampled_from([1, 60, 90, 900, 3600, 86400, 0, -1, 2**31 - 1]),
            "period": st.sampled_from(["days", "hours", "minutes", "seconds", "microseconds", "weeks"]),
        }),
    ),
    st.tuples(
        st.just("crontab"),
        st.fixed_dictionaries({
            **{name: st.sampled_from(parts) for name, parts in CRONTAB_PARTS.items()},
            "timezone": st.sampled_from(ZONES),
        }),
    ),
    st.tuples(
        st.just("solar"),
        st.fixed_dictionaries({
            "event": st.sampled_from(["sunset", "dusk_astronomical", "noon"]),
            "latitude": st.sampled_from(["52.52", "-33.865143", "0", "91"]),
            "longitude": st.sampled_from(["13.405", "-0.000001", "180"]),
        }),
    ),
    st.tuples(st.just("clocked"), st.fixed_dictionaries({"clocked_time": st.sampled_from([LATER, BEFORE, NOW])})),
)  # fmt: skip
ORDINARY_TIMINGS = st.one_of(
    st.tuples(
        st.just("interval"),
        st.fixed_dictionaries({
            "every": st.sampled_from([1, 60, 90, 900, 3600, 86400]),
            "period": st.sampled_from(["minutes", "seconds", "microseconds"]),
        }),
    ),
    st.tuples(
        st.just("crontab"),
        st.fixed_dictionaries({
            **{name: st.sampled_from(parts[:4]) for name, parts in CRONTAB_PARTS.items() if name != "day_of_month"},
            "timezone": st.sampled_from(ZONES[:6]),
        }),
    ),
)  # fmt: skip
OPTIONAL_TEXT = st.one_of(st.none(), st.sampled_from(["q", "reports", "default"]), NAUGHTY.map(lambda text: text[:200]))
TASKS = st.sampled_from(["shop.tasks.a", "shop.billing.tasks.b", "c"])
ROWS = st.fixed_dictionaries({
    "name": TEXT.map(lambda text: text[:200]),
    "task": st.one_of(TASKS, NAUGHTY.map(lambda text: text[:200])),
    "args": json_text(st.one_of(st.lists(VALUES, max_size=3), VALUES)),
    "kwargs": json_text(st.one_of(st.dictionaries(TEXT, VALUES, max_size=3), VALUES)),
    "headers": json_text(st.one_of(st.just({}), st.dictionaries(TEXT, SCALARS, max_size=2))),
    "queue": OPTIONAL_TEXT, "exchange": OPTIONAL_TEXT, "routing_key": OPTIONAL_TEXT,
    "priority": st.sampled_from([None, None, 0, 5, 255]),
    "expire_seconds": st.sampled_from([None, None, 0, 1, 90, 3600, 2**31 - 1]),
    "expires": st.one_of(st.none(), st.none(), INSTANTS), "start_time": INSTANTS, "last_run_at": INSTANTS,
    "total_run_count": st.sampled_from([0, 1, 500]),
    "one_off": st.booleans(), "enabled": st.booleans(),
    "description": st.one_of(TEXT, st.just("y" * 10_001)),
})  # fmt: skip
#: Most rows of a table are ordinary, so that much of each example is taken.
ORDINARY = st.fixed_dictionaries({
    "name": TEXT.map(lambda text: f"n {text}"[:200].strip()),
    "task": TASKS,
    "args": spelled(st.lists(VALUES, max_size=3)),
    "kwargs": spelled(st.dictionaries(TEXT, VALUES, max_size=3)),
    "queue": st.sampled_from([None, "q", "reports"]),
    "priority": st.sampled_from([None, 5]),
    "expire_seconds": st.sampled_from([None, 0, 600]),
    "start_time": INSTANTS, "last_run_at": INSTANTS, "total_run_count": st.sampled_from([0, 500]),
    "enabled": st.booleans(), "description": TEXT,
})  # fmt: skip
TABLES = st.lists(
    st.one_of(
        st.tuples(ORDINARY, ORDINARY_TIMINGS), st.tuples(ORDINARY, ORDINARY_TIMINGS), st.tuples(ORDINARY, TIMINGS),
        st.tuples(ROWS, ORDINARY_TIMINGS), st.tuples(ROWS, TIMINGS),
    ),
    max_size=15,
)  # fmt: skip


def fill(using: str, rows: list[tuple[dict[str, Any], tuple[str, dict[str, Any]]]]) -> int:
    """Write rows as programs do, without any check of a model; returns how many the database took."""
    taken = 0
    for columns, (kind, timing) in rows:
        try:
            with transaction.atomic(using=using):
                _insert(using, columns, kind, timing)
            taken += 1
        except (DatabaseError, ValueError, OverflowError):
            continue
    return taken


def _insert(using: str, columns: dict[str, Any], kind: str, timing: dict[str, Any]) -> None:
    zone = timing.get("timezone")
    values = {**timing, "timezone": "UTC"} if zone else timing
    made = TIMING_MODELS[kind]._default_manager.using(using).bulk_create([TIMING_MODELS[kind](**values)])[0]
    if made.pk is None:
        made = TIMING_MODELS[kind]._default_manager.using(using).latest("pk")
    if zone:
        with connections[using].cursor() as cursor:
            cursor.execute("UPDATE django_celery_beat_crontabschedule SET timezone = %s WHERE id = %s", [zone, made.pk])
    one_off = {"one_off": True} if kind == "clocked" else {}
    row = PeriodicTask(**{**columns, **one_off, f"{kind}_id": made.pk, "date_changed": BEFORE})
    PeriodicTask.objects.using(using).bulk_create([row])


def tables(using: str) -> dict[str, list[Any]]:
    """Every column of every row, as the database has it."""
    found = {}
    with connections[using].cursor() as cursor:
        for model in (PeriodicTask, *TIMING_MODELS.values()):
            cursor.execute(f"SELECT * FROM {model._meta.db_table} ORDER BY id")
            found[model.__name__] = [tuple(map(repr, row)) for row in cursor.fetchall()]
    return found


@contextmanager
def directory(project: Project) -> Iterator[str]:
    shutil.rmtree(project.root / "schedules", ignore_errors=True)
    try:
        yield "schedules"
    finally:
        shutil.rmtree(project.root / "schedules", ignore_errors=True)
        empty(project.using)


#: Only the text of a lone half of a character is no YAML.
NEVER = ("read back", "not YAML: did", "not YAML: while", "not YAML: could", "not YAML: mapping")
FORMS = st.sampled_from([(), ("--fold",), ("--by", "app"), ("--by", "queue", "--fold"), ("--no-secrets",)])


@pytest.mark.one_database("default", "postgresql")
@given(TABLES, FORMS)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_an_import_and_its_apply_write_nothing_but_the_ledger(
    project: Project, clock: object, rows: list[Any], form: tuple[str, ...]
) -> None:
    with directory(project) as out:
        count = fill(project.using, rows)
        before = tables(project.using)
        done = project.command("import", "database", "--database", project.using, "--out", out, *form)
        wanted = ImportForm(fold="--fold" in form, secrets="--no-secrets" not in form)
        imported = import_database(project.using, form=wanted).imported

        assert (done.code, tables(project.using) == before) == (0, True), done.err
        assert imported.taken + len(imported.left_out) == count
        assert len({left.name for left in imported.left_out}) == len(imported.left_out)
        assert [left for left in imported.left_out if any(word in left.reason for word in NEVER)] == []
        if not imported.taken:
            return
        applied = project.apply()
        assert applied.code == 0, applied.err
        assert tables(project.using) == before
        again = project.plan("--exit-code")
        assert (again.code, f"{imported.taken:,} unchanged" in again.out) == (0, True), again.out


def test_most_rows_are_taken(project: Project, clock: object) -> None:
    plain = {"task": "shop.tasks.a", "args": "[ ]", "kwargs": '{"b":1, "a": "yes"}', "description": "a\r\nb"}
    timings = [
        ("interval", {"every": 90, "period": "seconds"}),
        ("crontab", dict(zip(CRONTAB_PARTS, ["*/15", "02", "*", "jan", "mon-fri"], strict=True), timezone="Etc/UTC")),
        ("solar", {"event": "sunset", "latitude": "52.52", "longitude": "-0.000001"}),
        ("clocked", {"clocked_time": LATER}),
    ]
    assert fill(project.using, [({**plain, "name": timing[0]}, timing) for timing in timings]) == 4
    imported = import_database(project.using).imported

    assert (imported.taken, imported.left_out) == (4, ())


def test_two_forms_of_a_line_break_and_an_expiry_of_nothing_are_no_difference(project: Project) -> None:
    columns = {"name": "one", "task": "t", "description": "a\r\nb", "expire_seconds": 0, "date_changed": NOW}
    fill(project.using, [(columns, ("interval", {"every": 5, "period": "hours"}))])
    before = tables(project.using)
    text = "one: {task: t, every: 5h, adopt: true, description: "
    project.schedules(f'  {text}"a\\nb"}}\n')
    applied = project.apply()
    project.schedules(f'  {text}"a\\r\\nb"}}\n')

    assert (applied.code, project.plan("--exit-code").code) == (0, 0)
    assert tables(project.using) == before
