"""``--help`` teaches: where to begin, which verbs there are, and which options belong together."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from schedsync.cli import GROUPS, main
from tests.conftest import Done, Project

ROOT = Path(__file__).parents[2]
ONE = "  one: {task: t, every: 1m}\n"


def sections(text: str) -> dict[str, list[str]]:
    """The first words of each section of a help text."""
    found: dict[str, list[str]] = {}
    heading = ""
    for line in text.splitlines():
        if line.endswith(":") and not line.startswith(" "):
            heading = line[:-1]
        elif match := re.match(r"  (-?[\w-]\S*)", line):
            found.setdefault(heading, []).append(match[1].rstrip(","))
    return found


def test_verbs_are_listed_by_groups(command: Callable[..., Done]) -> None:
    listed = sections(command("--help").out)

    assert {heading: listed[heading] for heading in GROUPS} == {
        "Start": ["init", "import", "doctor"],
        "Change": ["validate", "review", "forecast", "plan", "apply"],
        "Look": ["status", "drift"],
        "Act": ["pause", "resume"],
        "Serve": ["snapshot"],
        "Reference": ["schema", "rules"],
        "Rare": ["ledger"],
    }
    assert sorted(name for verbs in GROUPS.values() for name in [verb.name for verb in verbs]) == sorted(main.commands)


def test_help_says_in_three_lines_where_to_begin(command: Callable[..., Done]) -> None:
    text = command("--help").out
    begin = text.split("Begin with:\n")[1].split("\n\n")[0].splitlines()

    assert [line.split()[:2] for line in begin] == [
        ["schedsync", "doctor"],
        ["schedsync", "init"],
        ["schedsync", "validate"],
        ["schedsync", "plan"],
    ]


def test_options_are_listed_under_headings(command: Callable[..., Done]) -> None:
    listed = sections(command("apply", "--help").out)
    del listed[""]

    assert listed == {
        "Options": ["-y", "--plan", "--exact", "--wait", "--timeout", "--lock-timeout", "-h"],
        "Where": ["-e", "--all", "--settings", "--pythonpath", "--database", "--commit"],
        "Lift a rule for this call": [
            "--adopt",
            "--adopt-all",
            "--adopt-from",
            "--allow-stops",
            "--allow-empty",
            "--allow-older",
            "--allow-dual-writer",
            "--allow-move",
            "--allow-dirty",
        ],
        "Output": ["--format", "--report", "-v"],
    }


@pytest.mark.parametrize("columns", [60, 100])
def test_help_fits_the_terminal(columns: int, command: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    widths = [len(line) for words in ([], ["apply"]) for line in command(*words, "--help").out.splitlines()]

    assert columns - 20 < max(widths) <= columns


def django(*words: str, directory: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
    return subprocess.run(
        [sys.executable, "-m", *words],
        capture_output=True, text=True, check=False, env=environment | {"COLUMNS": "100"}, cwd=directory,
    )  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        ["django", "help", "schedsync", "--settings", "tests.settings"],
        ["django", "schedsync", "--help", "--settings", "tests.settings"],
    ],
)
def test_manage_py_lists_the_verbs(words: list[str]) -> None:
    done = django(*words)

    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage: python -m django schedsync [OPTIONS] COMMAND" in done.stdout
    assert re.search(r"python -m django schedsync validate +check the files", done.stdout)
    assert sections(done.stdout)["Change"] == ["validate", "review", "forecast", "plan", "apply"]


def test_settings_may_be_before_the_verb(files: Project) -> None:
    """The database of the tests' settings lives in this process, so the verb gets as far as the alias's check."""
    files.schedules(ONE)
    where = ["--pythonpath", str(ROOT)]
    for words in (
        ["--settings", "tests.settings", *where, "plan", "--database", "nowhere"],
        ["plan", "--settings", "tests.settings", *where, "--database", "nowhere"],
        ["--settings", "tests.settings", "plan", *where, "--database", "nowhere"],
    ):
        done = django("schedsync", *words, directory=files.root)

        assert (done.returncode, "no database `nowhere` in DATABASES" in done.stderr) == (64, True), done.stderr


def test_settings_that_are_missing_before_the_verb_are_named(files: Project) -> None:
    done = django("schedsync", "--settings", "nowhere.settings", "plan", directory=files.root)

    assert done.returncode == 64
    assert "Django cannot be set up with `nowhere.settings`: No module named 'nowhere'" in done.stderr


def test_a_verb_without_django_ignores_the_settings_before_it(files: Project) -> None:
    files.schedules(ONE)

    assert files.command("--settings", "nowhere.settings", "validate").code == 0


def test_no_help_holds_a_formula_or_a_default_in_brackets() -> None:
    texts = {name: command.get_help(click.Context(command)) for name, command in main.commands.items()}

    assert [name for name, text in texts.items() if re.search(r"\[[^\]]*x[<>]=|\[default: \(", text)] == []
