"""Arguments that the database judges by itself are judged as Python would."""

from __future__ import annotations

import pytest
from django.db import connections
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from schedsync.database.sound_arguments import ids_with_bad_arguments
from schedsync.database.task_rows import are_sound_arguments

TEXTS = (
    "", " ", "[]", "{}", "null", "7", '"x"', "[1]", '{"a": 1}', ' {"a": [1, {"b": null}]} ', '{"a": 1, "a": 2}',
    "{", "[1,]", "{'a': 1}", '{"a": NaN}', '{"a": Infinity}', "[01]", "[1.]", "[.5]", "[-0]", "[1.5]",
    "[1e5]", "[1e308]", "[1e999]", "[1E+999]", "[-1e0999]", "[1e-999]", '["1e999"]', '{"1e999": 1}',
    '["\\ud800"]', '["\\u0000"]', '["\\x"]', '["é\U0001f680"]', "[" * 99 + "]" * 99, "[" * 101 + "]" * 101,
    f'[{"9" * 195}]', f'["{"x" * 300}"]', f'[{"9" * 5000}]', f"[{'1,' * 300}]",
)  # fmt: skip


@pytest.mark.parametrize("is_old", [False, True])
def test_the_database_judges_arguments_as_python_does(
    using: str, is_old: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_old and connections[using].vendor == "postgresql":
        monkeypatch.setattr(connections[using], "pg_version", 150000)
    every = IntervalSchedule.objects.using(using).create(every=1, period="hours")
    bad = set()
    for number, text in enumerate(TEXTS):
        for column in ("args", "kwargs", "headers"):
            row = PeriodicTask(name=f"{column} {number}", task="t", interval=every, **{column: text})
            PeriodicTask.objects.using(using).bulk_create([row])
            if not are_sound_arguments(row.args, row.kwargs, row.headers):
                bad.add(f"{column} {number}")
    ids = ids_with_bad_arguments(using)

    assert set(PeriodicTask.objects.using(using).filter(pk__in=ids).values_list("name", flat=True)) == bad
    assert 0 < len(bad) < 3 * len(TEXTS)
