"""Every flag that a message, a hint or a page names exists, for the verb that it names."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

import schedsync
from schedsync.cli import main

ROOT = Path(__file__).parents[2]
PACKAGE = Path(schedsync.__file__).parent
FLAG = re.compile(r"--[a-z][a-z-]*")
#: Calls whose arguments are words for a parser, or for Git, and no text for a user.
NOT_MESSAGES = (
    "option",
    "_where",
    "_lift",
    "_output",
    "renamed",
    "add_argument",
    "_run",
    "_checked",
    "_execute",
    "_tags",
    "execute",
    "run_bounded",
)
#: What a page may say of Beat's own command line.
FLAGS_OF_BEAT = ("--scheduler", "--statedb")

Use = tuple[str | None, str]


def flags_of(command: click.Command, *, hidden: bool) -> set[str]:
    options = [param for param in command.params if isinstance(param, click.Option) and (hidden or not param.hidden)]
    sources = command.commands.values() if isinstance(command, click.Group) and command is not main else ()
    of_sources = {flag for source in sources for flag in flags_of(source, hidden=hidden)}
    return {"--help", *(flag for option in options for flag in (*option.opts, *option.secondary_opts)), *of_sources}


def exists(use: Use, *, hidden: bool) -> bool:
    verb, flag = use
    commands = [main, *main.commands.values()] if verb is None else [main.commands[verb]]
    commands += [verb for group in commands[1 if verb is None else 0 :] for verb in verbs_of(group)]
    return any(flag in flags_of(command, hidden=hidden) for command in commands)


def verbs_of(command: click.Command) -> list[click.Command]:
    return list(command.commands.values()) if isinstance(command, click.Group) else []


def uses_of_command(words: str) -> Iterator[Use]:
    """Yield the flags of a command line, or of its end, if it is one of schedsync: pairs of a verb and a flag."""
    tokens = [token.strip("[]().,;:…") for token in words.split()]
    if "schedsync" in tokens and "install" not in tokens:
        tokens = tokens[len(tokens) - tokens[::-1].index("schedsync") :]
    elif not tokens or not (tokens[0] in main.commands or tokens[0].startswith("--")):
        return
    verb = tokens[0] if tokens and tokens[0] in main.commands else None
    for token in tokens:
        if FLAG.fullmatch(token.split("=")[0]):
            yield verb, token.split("=")[0]


def uses_of_text(text: str) -> Iterator[Use]:
    """Yield the flags of a text; code is between backticks, and elsewhere a verb may be just before its flag."""
    for number, part in enumerate(re.split(r"`+", text)):
        if number % 2:
            yield from uses_of_command(part)
            continue
        before = ""
        for word in part.split():
            if match := FLAG.match(word.lstrip("([")):
                yield (before if before in main.commands else None), match[0]
            elif word not in ("with", "without"):
                before = word


def messages(file: Path) -> Iterator[str]:
    """Yield the texts of a module, with … for the values in them."""

    class Texts(ast.NodeVisitor):
        def __init__(self) -> None:
            self.texts: list[str] = []

        def visit_Call(self, node: ast.Call) -> None:
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            for child in ast.iter_child_nodes(node):
                if not (name in NOT_MESSAGES and isinstance(child, (ast.Constant, ast.List))):
                    self.visit(child)

        def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
            parts = [str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values]
            self.texts.append("".join(parts))

        def visit_Constant(self, node: ast.Constant) -> None:
            if isinstance(node.value, str):
                self.texts.append(node.value)

    visitor = Texts()
    visitor.visit(ast.parse(file.read_text()))
    yield from visitor.texts


def unknown_of_the_package() -> list[tuple[str, str, Use]]:
    return [
        (str(file.relative_to(ROOT)), text, use)
        for file in sorted(PACKAGE.rglob("*.py"))
        for text in messages(file)
        for use in uses_of_text(text)
        # A warning about an old name has to name it.
        if not exists(use, hidden=text.startswith("warning: "))
    ]


def test_every_flag_in_a_message_exists_for_its_verb() -> None:
    assert unknown_of_the_package() == []


def unknown_of_a_page(file: Path) -> list[tuple[str, Use]]:
    uses: list[tuple[str, Use]] = []
    fenced = False
    for line in file.read_text().replace("\\\n", " ").splitlines():
        fenced ^= line.lstrip().startswith("```")
        read: Callable[[str], Iterator[Use]] = uses_of_text
        if fenced or file.suffix != ".md":
            read = uses_of_command if "schedsync" in line.split() and "`" not in line else uses_of_code_spans
        uses += [(line, use) for use in read(line.split("  #")[0])]
    return [(line, use) for line, use in uses if not exists(use, hidden=True) and use[1] not in FLAGS_OF_BEAT]


def uses_of_code_spans(line: str) -> Iterator[Use]:
    for span in re.findall(r"`([^`]+)`", line):
        yield from uses_of_command(span)


PAGES = [
    *sorted(ROOT.glob("docs/**/*.md")),
    ROOT / "README.md",
    *sorted(ROOT.glob(".github/**/*.yml")),
    *sorted(ROOT.glob("examples/**/*.yml")),
]


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_flag_on_a_page_exists_for_its_verb(file: Path) -> None:
    assert unknown_of_a_page(file) == []


@pytest.mark.parametrize(
    ("text", "uses"),
    [
        ("`apply --wait 60s` waits", [("apply", "--wait")]),
        ("run `python manage.py schedsync plan PATH --out FILE`", [("plan", "--out")]),
        ("give `--environment`, or apply without --plan", [(None, "--environment"), ("apply", "--plan")]),
        ("`git fetch --depth=1`, `celery beat --scheduler x`", []),
        ("--adopt 'x', or `adopt: true` in the file", [(None, "--adopt")]),
    ],
)
def test_flags_are_found_in_texts(text: str, uses: list[Use]) -> None:
    assert list(uses_of_text(text)) == uses


def test_a_flag_of_another_verb_is_noticed() -> None:
    assert not exists(("plan", "--wait"), hidden=True)
    assert not exists((None, "--max-stops"), hidden=False)
    assert exists((None, "--max-stops"), hidden=True)
