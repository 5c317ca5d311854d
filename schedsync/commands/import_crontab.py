"""``schedsync import crontab``: the lines of a crontab, as schedules of one task."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import click

from schedsync.commands.imported import (
    Again,
    FormOptions,
    deliver,
    files_text,
    form_options,
    quoted,
    tell_left_out,
    tell_next,
    tell_secrets,
)
from schedsync.commands.options import DatabaseOptions, gather, option, verb
from schedsync.commands.output import say
from schedsync.commands.parameters import Zone
from schedsync.commands.terminal import progress_line
from schedsync.render.words import counted

if TYPE_CHECKING:
    from schedsync.usecases.import_crontab import CrontabImport


@dataclass(frozen=True, slots=True)
class CrontabOptions:
    """How to read a crontab; None for what was not given."""

    task: str
    split: bool
    crontab_timezone: str | None
    system: bool | None


_crontab_options = gather(
    "options",
    CrontabOptions,
    option("--task", required=True, metavar="NAME", help="The task that runs the commands: each is its only argument."),
    option(
        "--split", is_flag=True,
        help="Make two schedules of a line with days of the month and of the week, and list the dates with two runs.",
    ),
    option(
        "--crontab-timezone", type=Zone(), metavar="ZONE",
        help="The time zone of lines without CRON_TZ; default: UTC.",
    ),
    option(
        "--system/--user", "system", default=None,
        help="Whether lines have a column for the user. Default: by the file's place, /etc/crontab or a cron.d.",
    ),
)  # fmt: skip


@verb("Write the lines of a crontab as YAML.")
@click.argument("file", type=click.Path(path_type=Path))
@_crontab_options
@form_options
def crontab(file: Path, options: CrontabOptions, form: FormOptions) -> int:
    """Write the YAML of the lines of a crontab; with `-` as FILE, they are read from the standard input.

    A crontab runs commands, Celery runs tasks. So each line becomes a schedule of the task NAME, with the command as
    its only argument: a task of yours that runs a command, until you write a task for each. The name of a schedule is
    made of its command. Neither Django nor a database is needed.

    Lines that Celery cannot run as cron does are listed with the reason, on stderr and in comments of the files:
    `@reboot`, text for the standard input after `%`, and, without `--split`, lines that cron runs on days of the month
    and also on days of the week.
    """
    from schedsync.usecases.import_crontab import CrontabRequest, import_crontab

    zone = options.crontab_timezone or "UTC"
    request = CrontabRequest(_source(file), options.task, zone, options.system, options.split)
    with progress_line() as progress:
        today = datetime.now(timezone.utc).date()
        result = import_crontab(request, today, form.form(adopt=False), progress)
    deliver(result.imported, form.out)
    _tell(result, zone, form.out)
    return 0


def _source(file: Path) -> Path | bytes:
    if str(file) != "-":
        return file
    from schedsync.importers.crontab_file import LARGEST

    return sys.stdin.buffer.read(LARGEST + 1)


def _tell(result: CrontabImport, zone: str, out: Path | None) -> None:
    """Say on stderr what was taken, what was not, what was assumed, and how to go on."""
    from schedsync.importers.crontab_drafts import dates_text

    imported, read = result.imported, result.read
    lines = len({line.line for line in read.lines if line.name in imported.names})
    total = len({line.line for line in read.lines} | {item.line for item in read.not_taken})
    if not total:
        say("the crontab has no lines that run a command")
        return
    say(f"took {lines:,} of {counted(total, 'line')}{files_text(imported, out)}")
    tell_left_out(imported)
    tell_secrets(imported)
    for double in result.doubles:
        dates = f"; twice on {dates_text(double.dates)}" if double.dates else "; no day of the next year is both"
        say(f"line {double.line:,} is two schedules, {quoted(double.names)}{dates}")
    if read.lines and not read.has_zone:
        say(f"lines without CRON_TZ: taken in {zone} (--crontab-timezone)")
    if read.variables:
        say(f"the crontab sets {quoted(read.variables)}: a task does not get them")
    users = sorted({line.user for line in read.lines if line.user and line.name in imported.names})
    if users:
        say(f"the commands ran as {quoted(users)}: a task runs as the worker's user")
    tell_next(imported, Again.from_options(DatabaseOptions(None, None, None)), out)
