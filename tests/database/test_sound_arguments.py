"""Arguments that the database judges by itself are judged as Python would."""

from __future__ import annotations

import random
from typing import Any

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


#: Pieces of JSON, and of what one database or another takes for them.
PIECES = (
    "[", "]", "{", "}", ":", ",", '"', '"a"', '"é"', "1", "-", "0", ".", "e", "E5", "e-7", "1.5", "true", "null", "NaN",
    "-Infinity", " ", "\t", "\n", "\r", "\x0b", "\x0c", "\x1f", "\x7f", "\x85", "\xa0", "\xad", "\u200b", "\u2028",
    "\ufeff", "\\", "\\u0000", "\\u12", "\\ud83d\\ude80", "\\udc00", "\\/", "'a'", "/*", "[]", "{}", "\uff3b", "\uff3d",
    "\uff5b", "\U0001f680",
)  # fmt: skip


def odd_text(chance: random.Random) -> str:
    """Return JSON with a flaw, or pieces of it in any order."""
    if chance.random() < 0.3:
        return "".join(chance.choices(PIECES, k=chance.randrange(1, 7)))
    text = chance.choice(("[]", "{}", '{"a": 1}', '["x", 2]', "[1, [2.5e3], null]", '{"a": {"b": [true]}}', '[""]'))
    for _ in range(chance.choice((0, 1, 1, 2))):
        at = chance.randrange(len(text) + 1)
        text = text[:at] + chance.choice(PIECES) + text[at + chance.choice((0, 0, 1)) :]
    return text


def fill(using: str, texts: list[dict[str, str]], batch: int = 200) -> dict[int, str]:
    """Make a row with each of the texts; returns the names by the ids of the rows that Python does not find sound."""
    every = IntervalSchedule.objects.using(using).create(every=1, period="hours")
    rows: Any = PeriodicTask.objects.using(using)
    rows.bulk_create(
        (PeriodicTask(name=f"n{number}", task="t", interval=every, **columns) for number, columns in enumerate(texts)),
        batch_size=batch,
    )
    stored = rows.values_list("pk", "args", "kwargs", "headers")
    return {row_id: str(columns) for row_id, *columns in stored if not are_sound_arguments(*columns)}


@pytest.mark.parametrize("seed", range(3))
def test_odd_texts_are_judged_as_python_does(using: str, seed: int) -> None:
    chance, can_hold_nul = random.Random(seed), connections[using].vendor != "postgresql"
    texts = [odd_text(chance) for _ in range(3000)]
    texts += ["[]\0", "\0[]", "[\0]", "{\0}"] * can_hold_nul + ["[" * depth + "]" * depth for depth in (99, 100, 101)]
    bad = fill(using, [{chance.choice(("args", "kwargs", "headers")): text} for text in texts])
    found = ids_with_bad_arguments(using)

    assert [bad.get(row_id, row_id) for row_id in found ^ bad.keys()] == []
    assert 100 < len(bad) < len(texts)


@pytest.mark.parametrize("length", [10**4, 10**6])
def test_long_texts_are_judged_as_python_does(using: str, length: int) -> None:
    pairs = ", ".join(f'"k{number}": {number}' for number in range(length // 10))
    numbers = "1," * (length // 2)
    lists = [f"[{numbers}1]", f"[{numbers}]", f"[{numbers}x", "[" * length, "[" * length + "]" * length, "1" * length]
    lists += [f'["{"x" * length}"]', f'["{"x" * length}', "[" + " " * length + "]", f'["{"x" * length}", NaN]']
    objects = [f"{{{pairs}}}", f"{{{pairs},}}", f'{{{pairs}, "z": [1}}', '{"a":' * length]
    bad = fill(using, [{"args": text} for text in lists] + [{"kwargs": text} for text in objects], batch=1)

    assert ids_with_bad_arguments(using) == bad.keys()
    assert len(bad) == 10


@pytest.mark.one_database("mariadb")
def test_a_collation_makes_no_text_sound(using: str) -> None:
    texts = [{"args": text} for text in ("\uff3b\uff3d", "[\u200b]", "[\xad]", "[\0]")]
    texts += [{name: text} for name in ("kwargs", "headers") for text in ("\uff5b\uff5d", "{\u200b}", "{\xad}")]
    with connections[using].cursor() as cursor:
        alter = f"ALTER TABLE {PeriodicTask._meta.db_table} CONVERT TO CHARACTER SET utf8mb4 COLLATE"
        cursor.execute("SELECT @@collation_database")
        (usual,) = cursor.fetchone()
        cursor.execute(f"{alter} utf8mb4_unicode_ci")
        try:
            bad = fill(using, texts)
            assert ids_with_bad_arguments(using) == bad.keys()
            assert len(bad) == len(texts)
        finally:
            cursor.execute(f"{alter} {usual}")
