"""A page of the guides as what a reader does with it: files to write, commands to run, and blocks that only show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

#: The first line of a block that is a whole file, such as `# schedules/reports.yaml` or `# Dockerfile`.
FILE = re.compile(r"# (?P<path>[\w.-]+(?:/[\w.-]+)*\.\w+|Dockerfile|Procfile)$")
#: A comment before a block that cannot run here. Readers do not see it.
NOT_RUN = re.compile(r"<!-- not run: (.+) -->")
#: A comment that says which project of stages.py the reader of the next blocks has.
PROJECT = re.compile(r"<!-- project: (\w+) -->")
EXIT_CODE = re.compile(r"# .*\bexit code (\d+)")


@dataclass(frozen=True)
class File:
    """A block that a reader saves."""

    line: int
    path: str
    text: str


@dataclass(frozen=True)
class Command:
    """A command that a reader types, with the output that the page shows; None if it shows none."""

    line: int
    text: str
    output: str | None

    @property
    def code(self) -> int:
        match = EXIT_CODE.search(self.text)
        return int(match[1]) if match else 0


@dataclass(frozen=True)
class NotRun:
    """A block that the page marks, with the reason."""

    line: int
    reason: str


@dataclass(frozen=True)
class NewProject:
    """From here on, the commands are typed in another project."""

    stage: str


Step = File | Command | NotRun | NewProject


def read_page(page: Path) -> list[Step]:
    """Return all steps of a page, in its order; a block that is none of them is an error."""
    steps: list[Step] = []
    reason = None
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
        if token.type == "html_block" and (match := PROJECT.match(token.content)):
            steps.append(NewProject(match[1]))
        elif token.type in ("fence", "code_block"):
            line = token.map[0] + 1 if token.map else 0
            steps += [NotRun(line, reason)] if reason else _block(page, line, token.info, token.content)
        if not token.type.endswith("_close"):
            match = NOT_RUN.match(token.content) if token.type == "html_block" else None
            reason = match[1] if match else None
    return steps


def _block(page: Path, line: int, language: str, text: str) -> Iterator[Step]:
    first, _, rest = text.partition("\n")
    file = FILE.match(first)
    if language == "console" and text.startswith("$ "):
        yield from _commands(line, text)
    elif file and language != "console":
        yield File(line, file["path"], rest)
    else:
        raise AssertionError(f"{page.name}:{line}: neither a command, nor a file, nor marked as not run")


def _commands(line: int, text: str) -> Iterator[Command]:
    """Yield the commands of a block; the lines of a command that goes on end with a backslash."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        match = re.match(r"(?:.*\\\n)*.*", part)
        assert match
        output = part[match.end() + 1 :]
        yield Command(line, match[0], output if output.strip() else None)
