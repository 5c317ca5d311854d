"""``schedsync snapshot``: save what the application and its database know."""

from __future__ import annotations

from pathlib import Path

from schedsync.commands.django import set_up
from schedsync.commands.options import (
    DatabaseOptions,
    database_options,
    out_option,
    path_argument,
    verb,
)
from schedsync.commands.output import say, write
from schedsync.commands.publishing import publish as publish_snapshot
from schedsync.commands.publishing import publish_option
from schedsync.config import read_config
from schedsync.core.published import Place
from schedsync.core.secrets import masked
from schedsync.render.programs import json_


@verb("Save what the application and its database know.")
@path_argument
@database_options
@out_option
@publish_option
def snapshot(path: str | None, database: DatabaseOptions, out: Path | None, publish: Place | None) -> int:
    """Write the registered tasks, their signatures and time limits, the queues, the values that the sources of
    `for_each` give, and the set's state in the database.

    Run it where the application is trusted, after each deploy. `validate`, `review`, `plan` and `forecast` take the
    file with --against, and then need neither the application nor the database. With --publish it is put where pull
    requests can get it. Values that look like secrets are masked.
    """
    config = read_config(path)
    using = set_up(database)
    from schedsync.usecases.snapshot import capture

    result = capture(using, config.set)
    for source in result.sources.values():
        if source.problem is not None:
            say(f"warning: {masked(source.problem)}; a plan with this snapshot will fail if its files use the source")
    data = json_.snapshot(result)
    if publish is not None:
        publish_snapshot(publish, data)
        say(f"published to {publish}")
    if publish is None or out is not None:
        write(data, out)
    return 0
