"""``schedsync import SOURCE``: write YAML from schedules that exist already."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from schedsync.commands.django import set_up
from schedsync.commands.new_files import check_new, write_new
from schedsync.commands.options import OUTPUT, DatabaseOptions, database_options, option, verb
from schedsync.commands.output import say, write
from schedsync.commands.terminal import progress_line
from schedsync.core.names import first_names
from schedsync.render.words import counted, printable

if TYPE_CHECKING:
    from schedsync.usecases.import_ import Imported

#: The names that one line lists; the others are counted, and are in the comments of the files.
_MOST_NAMES: Final = 20
_BY = click.Choice(["app", "queue", "file"])


@verb("Write the rows that nobody manages as YAML.")
@click.argument("patterns", nargs=-1, metavar="[NAME|GLOB]...")
@database_options
@option("--no-secrets", is_flag=True, help="Leave out schedules with a value that looks like a secret.")
@option("--fold", is_flag=True, help="Write schedules that differ in one value as one definition with `for_each`.")
@option(
    "--out", heading=OUTPUT, type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Write files into a directory; no file that exists is touched. Default: one document on stdout.",
)  # fmt: skip
@option(
    "--by", heading=OUTPUT, type=_BY,
    help="A file for each application (the first part of the task's path), for each queue, or one file. "
    "Default: one file for at most 20 schedules, else by application. On stdout: headings.",
)  # fmt: skip
def database(
    patterns: tuple[str, ...],
    database: DatabaseOptions,
    no_secrets: bool,
    fold: bool,
    out: Path | None,
    by: Any,
) -> int:
    """Write the YAML of the rows in the tables of django-celery-beat that no set manages.

    NAME or GLOB choose rows, such as 'sync-*'; without any, all rows are meant. The database is only read. The files
    say `adopt: true`: the next `apply` takes the rows over as they are, and changes none of their columns.

    Values are written as they are. A value that looks like a secret is named on stderr. Rows that no file can have are
    listed with the reason, on stderr and in comments of the files: rows of Beat itself, completed and broken ones, and
    rows of another set.

    \b
    Examples:
      schedsync import database > schedules/shop.yaml
      schedsync import database --fold --out schedules
      schedsync import database 'sync-*' 'report-*' --by queue --out schedules
    """
    using = set_up(database)
    from schedsync.usecases.import_ import ImportRequest, import_database

    request = ImportRequest(using, patterns, by, out is None, fold, not no_secrets)
    with progress_line() as progress:
        imported = import_database(request, progress)
    if out is None:
        write("\n".join(imported.texts.values()), None)
    else:
        files = {out / name: text for name, text in imported.texts.items()}
        check_new(files)
        write_new(files)
    _tell(imported, out)
    return 0


def _tell(imported: Imported, out: Path | None) -> None:
    """Say on stderr what was taken, what was not, and how to go on."""
    total = imported.taken + len(imported.left_out)
    if total:
        say(f"took {imported.taken:,} of {counted(total, 'row')} that nobody manages{_files_text(imported, out)}")
    elif not imported.managed:
        say("the tables hold no schedules")
    for name, count in imported.managed.items():
        say(f"set `{printable(name)}` manages {counted(count, 'row')} already")
    if imported.left_out:
        from schedsync.importers.layout import by_reason

        say(f"left out {len(imported.left_out):,}:")
        for reason, names in by_reason(imported.left_out, _MOST_NAMES):
            say(f"  {printable(names)}: {printable(reason)}")
    for secret in imported.secrets:
        say(f"secret? `{printable(secret.name)}` {printable(secret.path)} looks like one (SS212)")
    if imported.secrets:
        say("  hint: pass the name of the secret, and let the task fetch it; --no-secrets leaves these schedules out")
    if imported.dual_writers:
        names = first_names([f"`{printable(name)}`" for name in imported.dual_writers], _MOST_NAMES)
        say(f"also in CELERY_BEAT_SCHEDULE, remove them there before you apply: {names}")
    if imported.taken:
        program = click.get_current_context().find_root().info_name
        say(f"next: {program} plan {out}" if out else f"next: save it below schedules/, then `{program} plan`")


def _files_text(imported: Imported, out: Path | None) -> str:
    if out is None or not imported.counts:
        return ""
    files = [f"{out / name} ({count:,})" for name, count in imported.counts.items()]
    return f": {first_names(files, _MOST_NAMES)}"


class Sources(click.Group):
    """The sources of an import, one command each."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the sources, with what each of them does."""
        with formatter.section("Sources"):
            formatter.write_dl([(name, str(command.short_help)) for name, command in self.commands.items()])


@click.group(
    "import",
    cls=Sources,
    short_help="Write YAML from schedules that exist already.",
    subcommand_metavar="SOURCE [ARGS]...",
    context_settings={"help_option_names": ["-h", "--help"]},
)
def import_() -> None:
    """Write YAML from schedules that exist already; `export` is another name of this verb."""


import_.add_command(database)
