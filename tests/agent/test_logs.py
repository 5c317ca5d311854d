"""The log lines of an agent are an interface: docs/reference/logs.md has all their fields."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import schedsync.agent
import schedsync.usecases.agent

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/logs.md").read_text(encoding="utf-8")
FILES = [*Path(schedsync.agent.__file__).parent.glob("*.py"), Path(schedsync.usecases.agent.__file__)]


def fields_of_the_page() -> set[tuple[str, str]]:
    table = PAGE.split("## The agent\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| [\w ]+ \| ([^|]+) \|", table, flags=re.MULTILINE)
    return {(field, module) for field, where in rows for module in re.findall(r"`(\w+)`", where)}


def fields_of_the_code() -> Iterator[tuple[str, str]]:
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "extra":
                assert isinstance(node.value, ast.Dict)
                yield from ((ast.literal_eval(key), file.stem) for key in node.value.keys if key is not None)


def test_the_page_has_the_fields_of_all_lines() -> None:
    assert fields_of_the_page() == set(fields_of_the_code())
