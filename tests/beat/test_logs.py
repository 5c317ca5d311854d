"""Beat's log lines are an interface: docs/reference/logs.md has all their fields, and its setup writes JSON."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import schedsync.beat
from tests.acceptance.shop import shop

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/logs.md").read_text(encoding="utf-8")
BEAT = Path(schedsync.beat.__file__).parent


def fields_of_the_page() -> dict[str, set[str]]:
    """The fields of Beat's lines, and the modules that the page names for them."""
    table = PAGE.split("## Beat\n")[1].split("\n### ")[0]
    rows = re.findall(r"^\| `(\w+)` \| [\w ]+ \| ([^|]+) \|", table, flags=re.MULTILINE)
    return {field: set(re.findall(r"`(\w+)`", where)) for field, where in rows}


def fields_of_the_code() -> Iterator[tuple[str, str]]:
    """Pairs of a field and the module that logs it."""
    for file in BEAT.glob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        dicts = {
            target.id: node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword) and node.arg == "extra":
                yield from ((name, file.stem) for name in keys(node.value, dicts))
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_record(node.value):
                yield node.attr, file.stem


def keys(node: ast.expr, dicts: dict[str, ast.Dict]) -> Iterator[str]:
    assert isinstance(node, ast.Dict), "the fields of a line are written out where it is logged"
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:
            assert isinstance(value, ast.Name)
            yield from keys(dicts[value.id], dicts)
        else:
            yield ast.literal_eval(key)


def is_record(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "record"


def test_the_page_has_all_fields_and_no_others() -> None:
    assert set(fields_of_the_page()) == {field for field, _ in fields_of_the_code()}


def test_the_page_says_which_modules_log_a_field() -> None:
    code: dict[str, set[str]] = {}
    for field, module in fields_of_the_code():
        code.setdefault(field, set()).add(module)
    named = {field: modules for field, modules in fields_of_the_page().items() if modules}

    assert named == {field: code[field] for field in named}


#: A module logs by its own logger, or by one that it is given.
LOGS = re.compile(r"\blog(?:ger)?\.\w+\(")


def test_the_loggers_of_the_page_exist() -> None:
    named = set(re.findall(r"^\| `schedsync\.beat\.(\w+)`", PAGE, flags=re.MULTILINE))

    assert len(named) == 13
    assert [name for name in named if not LOGS.search((BEAT / f"{name}.py").read_text())] == []


@pytest.mark.one_database
def test_beat_writes_json_with_the_setup_of_the_page(using: str, tmp_path: Path) -> None:
    block = PAGE.split("```python\n")[1].split("```")[0]
    with shop(using, "filesystem://", tmp_path) as made:
        made.write(f"from shop.celery import app\n{block}", "logged.py")
        made.write("version: 1\nschedules:\n  often: {task: shop.tasks.heartbeat, every: 1s}\n")
        path = f"{tmp_path}:{made.environment['PYTHONPATH']}"
        logged = replace(made, environment={**made.environment, "PYTHONPATH": path}, app="logged")
        applied = made.run("apply", "--yes", "--settle", "0", "--log-format", "json")
        with logged.process("beat", "--pidfile=", "--loglevel", "info"):
            made.wait_until("beat", "Sending due task", 1)
        log = made.log("beat")
    # Celery's banner is on stdout.
    lines: list[dict[str, Any]] = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    sent = next(line for line in lines if line["logger"] == "celery.beat" and "task" in line)
    leads = next(line for line in lines if line["logger"] == "schedsync.beat.scheduler" and "epoch" in line)

    assert applied.returncode == 0, applied.stderr
    assert (sent["schedule"], sent["task"], sent["level"]) == ("often", "shop.tasks.heartbeat", "INFO")
    assert (leads["message"], leads["level"]) == (f"leading, epoch {leads['epoch']}", "WARNING")
    assert re.findall(r"^\[\d{4}-.*", log, flags=re.MULTILINE) == []
