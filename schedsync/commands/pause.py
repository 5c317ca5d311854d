"""``schedsync pause``: stop one schedule now, for a time, with a reason."""

from __future__ import annotations

from datetime import timedelta

import click

from schedsync.commands.common import Seconds, database_options, format_option, say, setup_django, verb
from schedsync.render import json_, text


@click.command(short_help="Stop one schedule for a time; no deploy undoes it.")
@click.argument("name")
@click.option("--reason", required=True, metavar="TEXT", help="Why; everyone who looks is told.")
@click.option(
    "--for", "span", type=Seconds(some=True), metavar="DURATION", help="How long, such as 24h; else until `resume`."
)
@click.option(
    "--settle", type=Seconds(), default=6.0, show_default="6s", metavar="DURATION",
    help="Wait so long for a poll of Beat and look again; 0 not to.",
)  # fmt: skip
@database_options
@format_option("json")
@verb
def pause(
    name: str, reason: str, span: float | None, settle: float, settings: str | None, database: str, format_: str
) -> int:
    """Stop the schedule NAME now. Git does not overrule it: every apply leaves it stopped until its time is over.

    Stock Beat cannot end a pause alone: the first apply after its time lets the schedule run again.
    """
    setup_django(settings, database)
    from schedsync.database.transaction import WaitOptions
    from schedsync.usecases import pause as operate

    ends = None if span is None else timedelta(seconds=span)
    paused = operate.pause(database, name, reason, ends, WaitOptions(settle=settle, say=say))
    click.echo(json_.pause(paused) if format_ == "json" else text.paused(paused.name, paused.until))
    return 0
