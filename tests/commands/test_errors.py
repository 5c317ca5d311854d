from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from schedsync import errors
from schedsync.cli import main
from schedsync.commands.options import lock_timeout_option, verb
from schedsync.errors import Locked, SchedsyncError

LINE = re.compile(r"^ {4}(?P<branches>[│├└─ ]*)(?P<name>\w+) +(?P<code>\d+|exit) +(?P<reason>\w+)(?:  +\S.*)?$", re.M)


def drawn() -> list[tuple[int, str, str, str]]:
    """The tree of the docstring: depth, name, exit code and failure reason of each class."""
    found = LINE.finditer(errors.__doc__ or "")
    return [(len(match["branches"]) // 4, match["name"], match["code"], match["reason"]) for match in found]


def classes(error: type[SchedsyncError], depth: int = 0) -> Iterator[tuple[int, str, str, str]]:
    yield depth, error.__name__, str(error.exit_code) if depth else "exit", error.failure_reason
    for child in error.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from classes(child, depth + 1)


def test_the_tree_of_errors_is_complete() -> None:
    (top, *rest), (drawn_top, *drawn_rest) = classes(SchedsyncError), drawn()

    assert drawn_top == (0, top[1], "exit", "failure_reason")
    assert drawn_rest == rest


@pytest.mark.parametrize("can_wait", [True, False])
def test_a_verb_hints_at_waiting_for_the_lock_only_if_it_can(
    can_wait: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    def locked(**_: float) -> int:
        raise Locked

    command = verb("Never gets the lock.")(lock_timeout_option(locked) if can_wait else locked)

    assert command.main([], standalone_mode=False) == 5
    assert ("wait for it with `--lock-timeout 60s`" in capsys.readouterr().err) is can_wait


def test_all_verbs_that_take_the_lock_can_wait_for_it() -> None:
    takers = [name for name, command in main.commands.items() if "lock_timeout" in {p.name for p in command.params}]

    assert takers == ["doctor", "apply", "rollback", "pause", "resume", "agent"]
