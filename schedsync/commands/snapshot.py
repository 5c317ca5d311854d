"""``schedsync snapshot``: what the application and its database know, for plans and reviews without credentials."""

from __future__ import annotations

from pathlib import Path

import click

from schedsync.commands.common import database_options, out_option, path_argument, setup_django, verb, write
from schedsync.config import read_config
from schedsync.render import json_


@click.command(short_help="Write down what the application and its database know.")
@path_argument
@database_options
@out_option
@verb
def snapshot(path: str | None, settings: str | None, database: str, out: Path | None) -> int:
    """Write the registered tasks, their signatures and time limits, the queues, and the set's state in the database.

    Run it where the application is trusted, after each deploy; `review`, `plan` and `forecast` take it by --against,
    and then need neither the application nor the database. Values that look like secrets are masked.
    """
    config = read_config(path)
    setup_django(settings, database)
    from schedsync.usecases.snapshot import capture

    write(json_.snapshot(capture(database, config.set)), out)
    return 0
