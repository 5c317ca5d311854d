"""What the sources of an import share: the options of the form, the files, and what is said about them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, Final

import click

from schedsync.commands.help import OUTPUT
from schedsync.commands.new_files import check_new, write_new
from schedsync.commands.options import DatabaseOptions, gather, option
from schedsync.commands.output import say, write
from schedsync.commands.program import program
from schedsync.core.names import first_names
from schedsync.errors import WrongUsage
from schedsync.render.words import printable

if TYPE_CHECKING:
    from schedsync.usecases.import_ import Imported, ImportForm

#: The names that one line lists; the others are counted, and are in the comments of the files.
MOST_NAMES: Final = 20
_BY = click.Choice(["app", "queue", "file"])


@dataclass(frozen=True, slots=True)
class FormOptions:
    """How to write an import, and where; without a directory it is one document on stdout."""

    no_secrets: bool
    fold: bool
    out: Path | None
    by: Any

    def form(self, *, adopt: bool = True) -> ImportForm:
        """Return the form for the use case."""
        from schedsync.usecases.import_ import ImportForm

        return ImportForm(self.by, self.out is None, self.fold, not self.no_secrets, adopt)


form_options = gather(
    "form",
    FormOptions,
    option("--no-secrets", is_flag=True, help="Leave out schedules with a value that looks like a secret."),
    option("--fold", is_flag=True, help="Write schedules that differ in one value as one definition with `for_each`."),
    option(
        "--out", heading=OUTPUT, type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
        help="Write files into a directory; no file that exists is touched. Default: one document on stdout.",
    ),
    option(
        "--by", heading=OUTPUT, type=_BY,
        help="A file for each application (the first part of the task's path), for each queue, or one file. "
        "Default: one file for at most 20 schedules, else by application. On stdout: headings.",
    ),
)  # fmt: skip


def deliver(imported: Imported, out: Path | None, more: Mapping[Path, str] | None = None) -> None:
    """Write the files of an import, and ``more`` files with them: all or none. Without a directory, print the YAML.

    Raises WrongUsage where one of ``more`` has the place of a file of the import.
    """
    files = dict(more or {})
    if out is not None:
        texts = {out / name: text for name, text in imported.texts.items()}
        check_new(texts)
        _check_apart(files, texts)
        files |= texts
    write_new(files)
    if out is None:
        write("\n".join(imported.texts.values()), None)


def _check_apart(more: Iterable[Path], texts: Iterable[Path]) -> None:
    places = {os.path.realpath(path) for path in texts}
    for path in more:
        if os.path.realpath(path) in places:
            raise WrongUsage(f"`{path}` is also a file of `--out`", hint="give it another name; nothing was written")


def tell_left_out(imported: Imported) -> None:
    """Say on stderr which names no file got, and why."""
    for line in left_out_lines(imported):
        say(line)


def left_out_lines(imported: Imported) -> Iterator[str]:
    """Yield the lines that say which names no file got, and why."""
    if imported.left_out:
        from schedsync.importers.layout import by_reason

        yield f"left out {len(imported.left_out):,}:"
        for reason, names in by_reason(imported.left_out, MOST_NAMES):
            yield f"  {printable(names)}: {printable(reason)}"


def tell_secrets(imported: Imported) -> None:
    """Say on stderr which values look like a secret, without the values."""
    for line in secret_lines(imported):
        say(line)
    if imported.secrets:
        say("  hint: pass the name of the secret, and let the task fetch it; --no-secrets leaves these schedules out")


def secret_lines(imported: Imported) -> Iterator[str]:
    """Yield a line for each value that looks like a secret, without the value."""
    for secret in imported.secrets:
        yield f"secret? `{printable(secret.name)}` {printable(secret.path)} looks like one (SS212)"


@dataclass(frozen=True, slots=True)
class Again:
    """How to call the program again: the words before the verb, and the alias of the database or None."""

    program: str
    database: str | None

    @classmethod
    def from_options(cls, options: DatabaseOptions) -> Again:
        """Return how the user has called it."""
        return cls(program(options), options.database)

    def plan(self, out: Path | None) -> str:
        """Return the command that plans the files."""
        alias = f" --database {quote(self.database)}" if self.database else ""
        return f"{self.program} plan{_path_word(out)}{alias}"

    def compare(self, out: Path | None, patterns: Sequence[str]) -> str:
        """Return the command that compares the files with the settings."""
        names = "".join(f" {quote(pattern)}" for pattern in patterns)
        return f"{self.program} forecast{_path_word(out)}{names} --compare settings"


def _path_word(out: Path | None) -> str:
    return f" {quote(out.as_posix())}" if out else ""


def tell_next(imported: Imported, again: Again, out: Path | None, steps: Sequence[str] = ()) -> None:
    """Say on stderr how to go on: ``steps`` are commands before the plan. Several commands have a line each."""
    if imported.taken:
        begin = "next:" if out else "next: save it below schedules/, then:"
        commands = [*steps, again.plan(out)]
        say(f"{begin} {commands[0]}" if len(commands) == 1 else "\n  ".join([begin, *commands]))


def quoted(names: Sequence[str]) -> str:
    """Return the first names in backquotes, and the number of the others."""
    return first_names([f"`{printable(name)}`" for name in names], MOST_NAMES)


def files_text(imported: Imported, out: Path | None) -> str:
    """Return the files with the number of schedules in each, after a colon."""
    if out is None or not imported.counts:
        return ""
    files = [f"{out / name} ({count:,})" for name, count in imported.counts.items()]
    return f": {first_names(files, MOST_NAMES)}"
