"""``--help`` teaches: where to begin, which verbs there are, and which options belong together."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from schedsync.cli import GROUPS, main
from schedsync.commands.examples import EXAMPLES
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
        "Change": ["validate", "fmt", "review", "forecast", "plan", "apply", "rollback"],
        "Look": ["status", "list", "why", "history", "drift", "accept"],
        "Act": ["pause", "resume", "run"],
        "Serve": ["agent", "snapshot"],
        "Reference": ["schema", "rules"],
        "Rare": ["ledger"],
    }
    assert [(name, verb.name) for name, verb in main.commands.items()] == [
        (name, name) for verbs in GROUPS.values() for name in verbs
    ]


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
        "Options": ["-y", "--plan", "--exact", "--wait", "--timeout", "--lock-timeout", "--watch", "-h"],
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
            "--allow-freeze",
        ],
        "Examples": ["schedsync", "schedsync", "schedsync"],
        "Output": ["--publish", "--format", "--report", "-v", "--log-format"],
    }


@pytest.mark.parametrize("columns", [60, 100])
def test_help_fits_the_terminal(columns: int, command: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    widths = [len(line) for words in ([], ["apply"]) for line in command(*words, "--help").out.splitlines()]

    assert columns - 20 < max(widths) <= columns


def leaves(group: click.Group = main) -> Iterator[list[str]]:
    """Yield the words of each verb: `plan`, `import database`."""
    for name, command in group.commands.items():
        yield [name]
        if isinstance(command, click.Group):
            yield from ([name, *words] for words in leaves(command))


VERBS = [" ".join(words) for words in leaves()]


@pytest.mark.parametrize("columns", [60, 80, 100])
@pytest.mark.parametrize("verb", VERBS)
def test_every_help_fits_the_terminal(
    verb: str, columns: int, command: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    text = command(*verb.split(), "--help").out

    assert [line for line in text.splitlines() if len(line) > columns] == []
    assert re.search(r"\[default|\[required|\*\*|```|Let so many", text) is None
    assert "\nExamples:\n" in text


def test_every_verb_has_one_to_three_examples() -> None:
    assert sorted(EXAMPLES) == sorted(VERBS)
    assert {len(examples) for examples in EXAMPLES.values()} <= {1, 2, 3}


EXAMPLE_LINES = [line for examples in EXAMPLES.values() for line, _ in examples if not line.startswith("git ")]


@pytest.mark.parametrize("line", EXAMPLE_LINES)
def test_the_words_of_an_example_can_be_parsed(line: str) -> None:
    words = shlex.split(line.partition(" > ")[0])
    command: click.Command = main
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]

    # Click keeps the first help option that it makes for a command.
    context = click.Context(command, help_option_names=["-h", "--help"])
    command.make_parser(context).parse_args(words)
    values = {param.name for param in command.params if isinstance(param, click.Option)}
    assert {name for name in context.params if name not in values} <= {param.name for param in command.params}


def test_an_example_is_shown_with_the_program_that_was_called(
    command: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    text = command("import", "crontab", "--help").out

    assert text.split("Examples:\n")[1].split("\n\n")[0].splitlines() == [
        "  schedsync import crontab shop.cron \\",
        "      --task shop.tasks.run_command --out schedules",
        "    write the lines of a file",
        "  schedsync forecast --compare crontab:shop.cron",
        "    list the runs that differ",
    ]
    shown = django("django", "schedsync", "plan", "--help", "--settings", "tests.settings").stdout
    assert "  python -m django schedsync plan -e production\n" in shown


def test_a_default_is_a_sentence(command: Callable[..., Done]) -> None:
    text = " ".join(command("apply", "--help").out.split())

    assert "How long `--wait` waits. Default: 60s." in text
    assert "How to write the data on stdout: text (the default), json, markdown or summary." in text


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        ("pln", "no such verb `pln`", "did you mean `plan`?"),
        ("plan --alow-stops 3", "no such option `--alow-stops`", "did you mean `--allow-stops`?"),
        ("plan --xyzzy", "no such option `--xyzzy`", "`schedsync plan --help` shows what it takes"),
        ("pause x", "missing option `--reason`", "`schedsync pause --help` shows what it takes"),
        ("import crontab --task t", "missing argument `FILE`", "`schedsync import crontab --help` shows what it takes"),
        ("ledger mov", "no such verb `mov`", "did you mean `move`?"),
        (
            "apply --allow-stops -1",
            "invalid value for `--allow-stops`: -1 is not in the range: at least 0",
            "`schedsync apply --help` shows what it takes",
        ),
        ("\x1b\u202e", "no such verb `\\x1b\\u202e`", "`schedsync --help` shows what it takes"),
    ],
)
def test_wrong_usage_is_an_error_with_a_hint(words: str, message: str, hint: str, command: Callable[..., Done]) -> None:
    assert command(*words.split()) == Done(64, "", f"error: {message}\n  hint: {hint}\n")


def test_a_group_without_a_verb_shows_its_help(command: Callable[..., Done]) -> None:
    done = command("ledger")

    assert sections(done.out + done.err)["Verbs"] == ["rename", "move", "release", "bind"]


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
    assert sections(done.stdout)["Change"] == ["validate", "fmt", "review", "forecast", "plan", "apply", "rollback"]


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
    names = ["-h", "--help"]
    texts = {
        name: command.get_help(click.Context(command, help_option_names=names))
        for name, command in main.commands.items()
    }

    assert [name for name, text in texts.items() if re.search(r"\[[^\]]*x[<>]=|\[default: \(", text)] == []


@pytest.mark.parametrize(
    ("verb", "example"), [("plan", "markdown=report.md"), ("validate", "sarif=report.sarif"), ("review", "markdown=")]
)
def test_the_example_of_a_report_is_one_that_the_verb_writes(
    verb: str, example: str, command: Callable[..., Done]
) -> None:
    assert f"for example {example}" in " ".join(command(verb, "--help").out.split())
