"""``schedsync accept``: take what somebody changed in the tables into the files."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from schedsync.commands.django import target
from schedsync.commands.help import WHERE
from schedsync.commands.options import (
    DatabaseOptions,
    FileOptions,
    database_options,
    environment_option,
    format_option,
    gather,
    option,
    verb,
)
from schedsync.commands.output import say, show
from schedsync.commands.selectors import Selected, selector_options
from schedsync.commands.terminal import progress_line
from schedsync.core.acceptance import Accepted
from schedsync.errors import WrongUsage
from schedsync.render.programs.acceptance import acceptance_json
from schedsync.render.terminal import accept as texts

if TYPE_CHECKING:
    from schedsync.usecases.accept import Prepared


@dataclass(frozen=True, slots=True)
class AcceptRequest:
    """One call of ``accept``."""

    path: str | None
    environment: str | None
    everywhere: bool
    file: str | None
    branch: str | None
    dry_run: bool
    yes: bool


@verb("Take what someone changed in the database into the files.")
@selector_options("Accept every edit of a managed schedule; rows that nobody manages have to be named.")
@gather(
    "request",
    AcceptRequest,
    option("--dry-run", is_flag=True, help="Show the difference, and write nothing."),
    option("-y", "--yes", is_flag=True, help="Do not ask; required without a terminal."),
    option("--branch", metavar="NAME", help="Commit it on a new branch, and leave the work tree as it is."),
    option("--file", metavar="FILE", help="The file for new schedules. Default: the one with the most alike tasks."),
    option("--everywhere", is_flag=True, help="Change all environments, not only the one of `--environment`."),
    option("--path", heading=WHERE, metavar="PATH", help="The directory of the schedules, or one file."),
    environment_option,
)
@database_options
@format_option("json")
def accept(selected: Selected, request: AcceptRequest, database: DatabaseOptions, format_: str) -> int:
    """Write what someone changed in the database since the last apply into the files, at its place.

    An edited field, a deleted row, a renamed one, and a row that nobody manages, if it is named. Only the lines that
    must change do. The files are read again before they are written: they say what the table holds, and nothing else
    has changed in any environment. Where an environment is chosen, the edit is written below its name.

    Exits 1 where something that is selected cannot be taken; the lines to write by hand are shown.
    """
    selector = selected.required("accept")
    with progress_line() as progress:
        found = target(FileOptions(request.path, request.environment), database, progress=progress)
        from schedsync.usecases.accept import Wanted, prepare

        prepared = prepare(found, Wanted(selector, request.everywhere, request.file, request.branch))
    accepted = prepared.accepted
    if format_ == "text":
        show(lambda paint: texts.accepted_text(accepted, paint))
    if not _agreed(accepted, request, format_):
        say("Nothing was written.")
        return 1
    commit = _write(prepared, request)
    _say_done(accepted, request, commit, format_)
    return 1 if accepted.left else 0


def _agreed(accepted: Accepted, request: AcceptRequest, format_: str) -> bool:
    """Ask whether to write; raises WrongUsage where nobody can be asked."""
    if request.yes or request.dry_run or not accepted.files:
        return True
    if format_ != "text" or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise WrongUsage("there is no terminal to ask on", hint="give `--yes`, or `--dry-run`")
    return click.confirm(f"\n{texts.question(accepted)}", default=False, prompt_suffix=" ", err=True)


def _write(prepared: Prepared, request: AcceptRequest) -> str | None:
    """Write the files, or commit them on the branch; returns the commit."""
    if request.dry_run or not prepared.accepted.files:
        return None
    if request.branch is not None:
        return prepared.commit(request.branch, texts.message(prepared.accepted))
    prepared.write()
    return None


def _say_done(accepted: Accepted, request: AcceptRequest, commit: str | None, format_: str) -> None:
    is_written = bool(accepted.files) and not request.dry_run
    if format_ == "json":
        diff = "\n".join(texts.diff_lines(accepted.files))
        click.echo(acceptance_json(accepted, diff, written=is_written, branch=request.branch, commit=commit))
    elif commit is not None and request.branch is not None:
        say(texts.committed_text(request.branch, commit))
    elif is_written:
        say(texts.written_text(accepted))
