"""The patch deletes entries from literal dictionaries, and leaves everything around them as it is."""

from __future__ import annotations

import ast
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedsync.importers.settings_patch import unified_diff, without_entries
from schedsync.importers.settings_places import places

HEAD = "from celery.schedules import crontab\n\nCELERY_BEAT_SCHEDULE = "
TAIL = "\nDEBUG = False\n"
LONG = HEAD + """{
    # Reports
    "nightly": {
        "task": "shop.report",  # a comment
        "schedule": crontab(minute=0, hour=2),
        "args": (1, 2),
    },  # every night

    'often': {'task': 'shop.poll', 'schedule': 30.0},
    # Mails
    "weekly": {"task": "shop.week", "schedule": crontab(day_of_week="mon")}
}
""" + TAIL  # fmt: skip
TASKS = {"nightly": "shop.report", "often": "shop.poll", "weekly": "shop.week"}


def without(text: str, *names: str, tasks: dict[str, str] | None = None) -> str | None:
    """The text without the literal entries of these names."""
    wanted = {name: (tasks or TASKS)[name] for name in names}
    entries: dict[tuple[int, int], set[int]] = defaultdict(set)
    for place in places(ast.parse(text), wanted):
        assert place.dictionary is not None
        entries[place.dictionary].add(place.index)
    assert sum(map(len, entries.values())) == len(names)
    return without_entries(text, entries)


def found(text: str, tasks: dict[str, str] | None = None) -> list[tuple[str, int, bool, str]]:
    at = places(ast.parse(text), TASKS if tasks is None else tasks)
    return sorted((place.name, place.line, place.dictionary is not None, place.how) for place in at)


def test_an_entry_goes_with_its_lines_and_comments_around_it_stay() -> None:
    assert without(LONG, "nightly") == HEAD + """{
    # Reports

    'often': {'task': 'shop.poll', 'schedule': 30.0},
    # Mails
    "weekly": {"task": "shop.week", "schedule": crontab(day_of_week="mon")}
}
""" + TAIL  # fmt: skip
    assert without(LONG, "often", "weekly") == HEAD + """{
    # Reports
    "nightly": {
        "task": "shop.report",  # a comment
        "schedule": crontab(minute=0, hour=2),
        "args": (1, 2),
    },  # every night

    # Mails
}
""" + TAIL  # fmt: skip


@pytest.mark.parametrize(
    ("body", "names", "expected"),
    [
        ('{"nightly": NIGHTLY, "often": OFTEN}', ["nightly"], '{"often": OFTEN}'),
        ('{"nightly": NIGHTLY, "often": OFTEN}', ["often"], '{"nightly": NIGHTLY}'),
        ('{"nightly": NIGHTLY, "often": OFTEN}', ["nightly", "often"], "{}"),
        ('{\n    "nightly": NIGHTLY,\n    "often": OFTEN,\n}', ["nightly", "often"], "{}"),
        ('{\n    "nightly": (NIGHTLY)  # x\n    ,\n    "often": OFTEN,\n}', ["nightly"], '{\n    "often": OFTEN,\n}'),
        ('{"nightly": NIGHTLY,\n "often": OFTEN, "weekly": W}', ["often"], '{"nightly": NIGHTLY,\n "weekly": W}'),
        ('{**BASE, "nightly": dict(task="shop.report")}', ["nightly"], "{**BASE}"),
        ('{"é": {"n": 1}, "nightly": {"task": "shop.report"}}', ["nightly"], '{"é": {"n": 1}}'),
        ('{"nightly": {"task": f"{x}, {y}"}, "often": OFTEN}', ["nightly"], '{"often": OFTEN}'),
        ('{"a": {"beat_schedule": {"nightly": NIGHTLY}}}', ["nightly"], '{"a": {"beat_schedule": {}}}'),
        ('{"nightly": {"task": T, "args": (lambda x, y: 1)}}', ["nightly"], "{}"),
    ],
)
def test_entries_are_cut_out_however_they_are_written(body: str, names: list[str], expected: str) -> None:
    assert without(HEAD + body + "\n", *names) == HEAD + expected + "\n"


def test_a_text_that_would_not_be_the_same_module_is_no_patch() -> None:
    text = HEAD + '{"x": lambda a, b: 1, "nightly": NIGHTLY}\n'

    assert without(text, "nightly") is None


def test_a_dictionary_in_an_f_string_is_cut_out_or_left() -> None:
    text = "x = f'''{ {'nightly': {'task': T, 'schedule': 5}} }'''\n"
    for place in places(ast.parse(text), TASKS):
        assert place.dictionary is not None
        assert without_entries(text, {place.dictionary: [place.index]}) in (None, "x = f'''{ {} }'''\n")


def test_carriage_returns_and_a_last_line_without_an_end_stay() -> None:
    text = LONG.replace("\n", "\r\n").rstrip("\r\n")
    result = without(text, "often")

    assert result == LONG.replace("    'often': {'task': 'shop.poll', 'schedule': 30.0},\n", "").replace(
        "\n", "\r\n"
    ).rstrip("\r\n")


def test_places_of_all_forms_are_found() -> None:
    entry = '{"task": "shop.report", "schedule": 5}'
    texts = {
        f"CELERYBEAT_SCHEDULE: dict = {{'nightly': {entry}}}": True,
        f"class Config:\n    beat_schedule = {{'nightly': {entry}}}": True,
        "app.conf.beat_schedule = {'nightly': NIGHTLY}": True,
        "app.conf.update(beat_schedule={'nightly': NIGHTLY})": True,
        "CELERY_BEAT_SCHEDULE.update({'nightly': NIGHTLY})": True,
        "CELERY_BEAT_SCHEDULE |= {'nightly': NIGHTLY}": True,
        f"JOBS = {{'nightly': {entry}}}": True,
        f"CELERY_BEAT_SCHEDULE['nightly'] = {entry}": False,
        f"CELERY_BEAT_SCHEDULE = dict(nightly={entry})": False,
        "sender.add_periodic_task(5, report.s(), name='nightly')": False,
    }
    for text, is_literal in texts.items():
        assert [(name, literal) for name, _, literal, _ in found(text)] == [("nightly", is_literal)], text


def test_what_only_looks_like_an_entry_is_none() -> None:
    for text in (
        "OTHER = {'nightly': 5, 'often': {'task': 'shop.poll'}}",
        "CELERY_BEAT_SCHEDULE = {'nightly': {'task': 'shop.other', 'schedule': 5}}",
        "CELERY_BEAT_SCHEDULE = {name: 1, f'nightly': 2, 7: 3, **nightly}",
        "x.update({'nightly': 5})\ndict(nightly=5)\nOTHER['nightly'] = 5",
    ):
        assert found(text) == [], text


NAMES = ["a", "b", "c", "d"]
VALUES = st.sampled_from(
    ['{"task": "t", "schedule": (5)}', "X", '{\n  "task": "t",  # , }\n}', "f(1, {2: 3})", '"},{"']
)
SPACES = st.sampled_from(["", " ", "\n", "\n    ", "  # a, }\n", "\n\n", "\n    # x\n    "])
ENTRIES = st.tuples(SPACES, VALUES, SPACES, SPACES)


@given(st.lists(ENTRIES, max_size=4), SPACES, st.booleans(), st.sets(st.sampled_from(NAMES)), st.booleans())
def test_a_patch_applies_and_deletes_nothing_else(
    entries: list[tuple[str, str, str, str]], last: str, has_comma: bool, gone: set[str], returns: bool
) -> None:
    parts = [
        f'{before}"{name}": {value}{between}{"," if index < len(entries) - 1 or has_comma else ""}{after}'
        for index, (name, (before, value, between, after)) in enumerate(zip(NAMES, entries, strict=False))
    ]
    text = HEAD + "{" + "".join(parts) + last + "}\n" + TAIL
    text = text.replace("\n", "\r\n") if returns else text
    names = sorted(gone & set(NAMES[: len(entries)]))
    result = without(text, *names, tasks=dict.fromkeys(NAMES, "t"))

    assert result is not None
    kept = [node for node in ast.walk(ast.parse(result)) if isinstance(node, ast.Dict)][:1]
    assert [ast.literal_eval(key) for key in kept[0].keys if key] == [
        name for name in NAMES[: len(entries)] if name not in names
    ]
    assert result.startswith(HEAD.replace("\n", "\r\n") if returns else HEAD)
    assert result.rstrip().endswith("DEBUG = False")


@pytest.mark.parametrize("name", ["settings.py", "my shop/base settings.py"])
def test_git_applies_the_patch(tmp_path: Path, name: str) -> None:
    for text in (LONG, LONG.replace("\n", "\r\n"), LONG.rstrip("\n"), LONG + "x = 1\n" * 40):
        new = without(text, "nightly", "weekly")
        assert new is not None
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(text.encode())
        (tmp_path / "x.patch").write_bytes(unified_diff(name, text, new).encode())
        subprocess.run(["git", "apply", "x.patch"], cwd=tmp_path, check=True)

        assert (tmp_path / name).read_bytes() == new.encode()


def test_other_calls_and_annotated_assignments_are_places() -> None:
    value = '{"task": "shop.poll", "schedule": 30.0}'
    text = (
        f'CELERY_BEAT_SCHEDULE["nightly"]: dict = {value.replace("poll", "report")}\n'
        f"CELERY_BEAT_SCHEDULE.update(often={value})\n"
        f'CELERY_BEAT_SCHEDULE.setdefault("weekly", {value.replace("poll", "week")})\n'
    )

    assert found(text) == [
        ("nightly", 1, False, "an assignment"),
        ("often", 2, False, "an argument of `update`"),
        ("weekly", 3, False, "`setdefault`"),
    ]
