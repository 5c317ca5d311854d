"""``schedsync import database``: the rows of the tables that nobody manages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from schedsync.commands.django import set_up
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
from schedsync.commands.options import DatabaseOptions, database_options, verb
from schedsync.commands.output import say
from schedsync.commands.terminal import progress_line
from schedsync.render.words import counted, printable

if TYPE_CHECKING:
    from schedsync.usecases.import_database import DatabaseImport


@verb("Write the rows that nobody manages as YAML.")
@click.argument("patterns", nargs=-1, metavar="[NAME|GLOB]...")
@database_options
@form_options
def database(patterns: tuple[str, ...], database: DatabaseOptions, form: FormOptions) -> int:
    """Write the YAML of the rows in the tables of django-celery-beat that no set manages.

    NAME or GLOB choose rows, such as 'sync-*'; without any, all rows are meant. The database is only read. The files
    say `adopt: true`: the next `apply` takes the rows over as they are, and changes none of their columns.

    Values are written as they are. A value that looks like a secret is named on stderr. Rows that no file can have are
    listed with the reason, on stderr and in comments of the files: rows of Beat itself, completed and broken ones, and
    rows of another set.
    """
    using = set_up(database)
    from schedsync.usecases.import_database import import_database

    with progress_line() as progress:
        result = import_database(using, patterns, form.form(), progress)
    deliver(result.imported, form.out)
    _tell(result, Again.from_options(database), form.out)
    return 0


def _tell(result: DatabaseImport, again: Again, out: Path | None) -> None:
    """Say on stderr what was taken, what was not, and how to go on."""
    imported = result.imported
    total = imported.taken + len(imported.left_out)
    if total:
        say(f"took {imported.taken:,} of {counted(total, 'row')} that nobody manages{files_text(imported, out)}")
    elif not result.managed:
        say("the tables hold no schedules")
    for name, count in result.managed.items():
        say(f"set `{printable(name)}` manages {counted(count, 'row')} already")
    tell_left_out(imported)
    tell_secrets(imported)
    if result.dual_writers:
        say(f"also in CELERY_BEAT_SCHEDULE, remove them there before you apply: {quoted(result.dual_writers)}")
        say("  hint: `import settings` takes them from there instead, and writes a patch that deletes them")
    tell_next(imported, again, out)
