"""``--log-format json``: each line on stderr is one JSON object."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

import click
import pytest

from schedsync.cli import main, run
from schedsync.commands.logs import json_line
from tests.conftest import Done, Project


def lines(done: Done) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [json.loads(line) for line in done.err.splitlines()]
    for line in found:
        assert datetime.fromisoformat(line.pop("time").replace("Z", "+00:00")).tzinfo
    return found


def ours(level: str, message: str, verb: str, **fields: object) -> dict[str, object]:
    return {"level": level, "logger": "schedsync.commands", "message": message, "verb": verb, **fields}


def test_messages_are_objects_and_data_stays_on_stdout(files: Project) -> None:
    files.schedules("  one: {task: t, every: 1m}\n")
    done = files.validate("--log-format", "json")

    assert lines(done) == [ours("INFO", "1 info · 1 schedule in 1 file", "validate")]
    assert done.code == 0


def test_an_error_has_its_remedy_and_its_codes_in_fields(files: Project) -> None:
    files.schedules("  one: {task: t, evry: 1m}\n")
    done = files.command("--log-format", "json", "forecast", "schedules", "--format", "text")
    (line,) = lines(done)

    assert done.code == 1
    assert (line["level"], line["failure_reason"], line["exit_code"]) == ("ERROR", "invalid", 1)
    assert {finding["code"] for finding in line["findings"]} >= {"SS120"}


def test_wrong_usage_is_an_object_too(command: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEDSYNC_LOG_FORMAT", "json")
    (line,) = lines(command("paln"))

    assert line.pop("hint") == "did you mean `plan`?"
    assert line == {"level": "ERROR", "logger": "schedsync.commands", "message": "no such verb `paln`"}


def test_the_verb_of_a_group_is_what_was_typed() -> None:
    ledger = main.commands["ledger"]
    assert isinstance(ledger, click.Group)
    outer = click.Context(ledger, click.Context(main), "ledger")
    with click.Context(ledger.commands["move"], outer, "move"):
        line = json.loads(json_line("done"))

    assert line["verb"] == "ledger move"


@pytest.mark.parametrize(
    "words",
    [
        ("plan", "--typo", "--log-format", "json"),
        ("plan", "--log-format=json", "--typo"),
        ("--typo", "--log-format", "json", "plan"),
        ("--log-format", "text", "plan", "--typo", "--log-format", "json"),
    ],
)
def test_a_mistyped_option_is_an_object_wherever_the_format_is(
    command: Callable[..., Done], words: tuple[str, ...]
) -> None:
    (line,) = lines(command(*words))

    assert (line["level"], line["message"]) == ("ERROR", "no such option `--typo`")


def test_the_variable_counts_for_a_mistyped_option_too(
    command: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCHEDSYNC_LOG_FORMAT", "json")
    (line,) = lines(command("--typo"))
    as_text = command("plan", "--typo", "--log-format", "text")

    assert line["message"] == "no such option `--typo`"
    assert as_text.err.startswith("error: no such option `--typo`")


def test_a_refusal_is_one_object(project: Project) -> None:
    project.schedules("  one: {task: t, every: 1m}\n")
    project.apply()
    project.write("version: 1\nschedules: {}\n")
    done = project.apply("--log-format", "json")
    refused = next(line for line in lines(done) if line["level"] == "ERROR")

    assert done.code == 3
    assert (refused["message"], refused["exit_code"]) == ("refused, nothing was written", 3)
    assert [refusal["code"] for refusal in refused["refusals"]] == ["empty_set"]


def test_a_mistake_in_the_program_is_an_object_with_its_traceback(
    command: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(main.commands["rules"], "callback", broken)
    (line,) = lines(command("--log-format", "json", "rules"))

    assert (line["level"], line["message"]) == ("CRITICAL", "ZeroDivisionError('division by zero')")
    assert line["exc_info"].startswith("Traceback")
    with pytest.raises(ZeroDivisionError):
        run(["rules"])


def test_other_loggers_write_objects_for_one_call(
    command: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = logging.getLogger("tests.other")
    monkeypatch.setattr(main.commands["rules"], "callback", lambda **_: logger.warning("%s", "a\nb", extra={"n": 1}))
    monkeypatch.setattr(logger, "propagate", False)
    handler = logging.StreamHandler(sys.stderr)
    monkeypatch.setattr(logger, "handlers", [handler])
    as_json, as_text = command("--log-format", "json", "rules"), command("rules")

    assert lines(as_json) == [{"level": "WARNING", "logger": "tests.other", "message": "a\nb", "n": 1}]
    assert as_text.err == "a\nb\n"


def test_colours_and_control_characters_do_not_reach_the_lines(
    command: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    from schedsync.commands.output import say

    text = click.style("a", fg="red")
    monkeypatch.setattr(main.commands["rules"], "callback", lambda **_: say(f"warning: {text}\x07\u2028"))
    done = command("--log-format", "json", "rules")

    assert len(done.err.splitlines()) == 1
    assert lines(done) == [ours("WARNING", "a\x07", "rules")]


def test_every_verb_takes_the_format(command: Callable[..., Done]) -> None:
    def leaves(verb: click.Command) -> list[click.Command]:
        verbs = verb.commands.values() if isinstance(verb, click.Group) else ()
        return [leaf for each in verbs for leaf in leaves(each)] or [verb]

    without = [leaf.name for leaf in leaves(main) if "log_format" not in {param.name for param in leaf.params}]

    assert without == []
