"""``schedsync import SOURCE``: write YAML from schedules that exist already."""

from __future__ import annotations

import click

from schedsync.commands.help import VerbGroup
from schedsync.commands.import_crontab import crontab
from schedsync.commands.import_database import database
from schedsync.commands.import_settings import settings


class Sources(VerbGroup):
    """The sources of an import, one command each."""

    heading = "Sources"


@click.group(
    "import",
    cls=Sources,
    short_help="Write YAML from schedules that exist already.",
    subcommand_metavar="SOURCE [ARGS]...",
    context_settings={"help_option_names": ["-h", "--help"]},
)
def import_() -> None:
    """Write YAML from schedules that exist already; `export` is another name of this verb."""


for _source in (database, settings, crontab):
    import_.add_command(_source)
