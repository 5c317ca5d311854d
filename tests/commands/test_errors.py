from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from schedsync import errors
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


@pytest.mark.parametrize("error", [Locked()])
def test_the_hint_of_a_lock_is_true_for_every_verb_that_takes_it(error: Locked) -> None:
    from schedsync.cli import main
    from tests.commands.test_flags import exists, uses_of_text

    (use,) = uses_of_text(error.hint or "")
    takers = [name for name, command in main.commands.items() if exists((name, use[1]), hidden=False)]

    assert takers == ["doctor", "apply", "pause", "resume"]
