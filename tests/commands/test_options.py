"""Options are typed values; old names work for one release; waiting for the lock is the same for all verbs."""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

import click
import pytest
from django.db import connections, transaction

from schedsync.cli import main
from schedsync.commands.options import gather, option
from schedsync.database.lock import take
from tests.conftest import NOW, Project

MANY = "".join(f"  job-{number}: {{task: t, every: 1m}}\n" for number in range(6))
VERBS = list(main.commands.values())


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: str(verb.name))
def test_every_verb_has_typed_parameters(verb: click.Command) -> None:
    assert verb.callback is not None
    parameters = inspect.signature(inspect.unwrap(verb.callback)).parameters.values()

    assert [parameter.name for parameter in parameters if parameter.kind is parameter.VAR_KEYWORD] == []
    assert [parameter.name for parameter in parameters if "Any" in str(parameter.annotation)] == []


def test_a_renamed_option_cannot_silently_become_its_default() -> None:
    @dataclass(frozen=True)
    class Chosen:
        strict: bool = False

    @click.command()
    @gather("chosen", Chosen, option("--strictly", is_flag=True))
    def command(chosen: Chosen, **_: Any) -> None:
        """Never runs."""

    with pytest.raises(KeyError, match="strict"):
        command.main(["--strictly"], standalone_mode=False)


def test_the_old_name_of_allow_stops_works_and_warns(project: Project) -> None:
    project.schedules(MANY)
    project.apply()
    project.schedules("".join(MANY.splitlines(keepends=True)[:4]))
    assert project.apply().code == 3
    warning = "warning: `--max-stops` is deprecated, the next release removes it; use `--allow-stops`"

    both = project.apply("--max-stops", "2", "--allow-stops", "1")
    assert (both.code, warning in both.err) == (3, True)
    done = project.apply("--max-stops", "2")
    assert (done.code, warning in done.err) == (0, True)
    assert "deprecated" not in project.apply("--allow-stops", "2").err


def test_the_old_name_of_allow_move_works_and_warns(project: Project) -> None:
    project.write('environments = ["staging", "production"]\n', "schedsync.toml")
    project.schedules(MANY)
    assert project.apply("-e", "staging").code == 0
    assert project.apply("-e", "production").code == 3
    done = project.apply("-e", "production", "--move-set")

    assert (done.code, "use `--allow-move`" in done.err) == (0, True)


def test_the_old_name_of_timeout_works_and_warns(project: Project) -> None:
    project.schedules(MANY)
    done = project.apply("--wait", "--wait-timeout", "1s", "--format", "json")
    again = project.apply("--wait", "--timeout", "1s")

    assert done.code == 6
    assert "waiting up to 1 s for Beat" in done.err
    assert "warning: `--wait-timeout` is deprecated, the next release removes it; use `--timeout`" in done.err
    assert (again.code, "deprecated" in again.err) == (6, False)


WAITING = [
    ["apply", "schedules", "--yes", "--settle", "0"],
    ["pause", "job-1", "--reason", "test", "--settle", "0"],
    ["resume", "job-0"],
    ["doctor", "--fix"],
]


@pytest.mark.parametrize("words", WAITING, ids=lambda words: words[0])
def test_every_verb_that_needs_the_lock_can_wait_for_it(project: Project, words: list[str]) -> None:
    if connections[project.using].vendor == "sqlite":
        pytest.skip("a database in memory has one connection")
    project.schedules(MANY)
    project.apply()
    project.command("pause", "job-0", "--reason", "test", "--settle", "0", "--database", project.using)
    project.schedules(MANY.replace("1m", "2m"))
    words = [*words, "--database", project.using]
    taken, finish = Event(), Event()

    def hold() -> None:
        with transaction.atomic(using=project.using):
            take(project.using, "another", NOW)
            taken.set()
            finish.wait(30)
        connections[project.using].close()

    holder = Thread(target=hold)
    holder.start()
    assert taken.wait(30)
    try:
        refused = project.command(*words)
        # The lock is free only after the verb has begun to wait for it.
        Thread(target=lambda: (finish.wait(1), finish.set())).start()
        done = project.command(*words, "--lock-timeout", "60s")
    finally:
        finish.set()
        holder.join()

    assert (refused.code, "wait for it with `--lock-timeout 60s`" in refused.err) == (5, True)
    assert done.code == 0, done.err


def test_a_lock_is_told_in_json_too(project: Project) -> None:
    if connections[project.using].vendor == "sqlite":
        pytest.skip("a database in memory has one connection")
    project.schedules(MANY)
    project.apply()
    other = connections[project.using].copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("UPDATE schedsync_applylock SET holder = 'other'")
        words = ["pause", "job-1", "--reason", "test", "--settle", "0", "--format", "json"]
        done = project.command(*words, "--database", project.using)
    finally:
        other.close()

    assert (done.code, json.loads(done.out)["failure_reason"]) == (5, "locked")
