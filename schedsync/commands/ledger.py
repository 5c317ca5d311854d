"""``schedsync ledger``: rare work on schedsync's own tables."""

from __future__ import annotations

import sys

import click

from schedsync.commands.django import set_up
from schedsync.commands.options import (
    DatabaseOptions,
    database_options,
    environment_option,
    is_typed,
    lock_timeout_option,
    option,
    verb,
)
from schedsync.commands.output import say, show
from schedsync.errors import WrongUsage
from schedsync.render.binding import bound_text, intent_text


@click.group(short_help="Bind the database to an environment.")
def ledger() -> None:
    """Change what schedsync's own tables say; each verb has its own `--help`."""


@verb("Say which environment the database belongs to.")
@environment_option
@option("--none", is_flag=True, help="Bind it to no environment: each Beat may send, with any name.")
@option("-y", "--yes", is_flag=True, help="Do not ask; required without a terminal.")
@lock_timeout_option
@database_options
def bind(environment: str | None, none: bool, yes: bool, lock_timeout: float, database: DatabaseOptions) -> int:
    """Bind the database to the environment NAME, for example after a restore into another environment.

    A Beat that names another environment by SCHEDSYNC_ENVIRONMENT, or none, then sends nothing, and an apply that names
    another one is refused. Before it asks, the command shows which Beats these are.
    """
    using = set_up(database)
    from schedsync.database.environment import named_environment

    chosen = _chosen(None if none and not is_typed("environment") else environment or named_environment(), none=none)
    if not yes and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise WrongUsage("there is no terminal to ask on", hint="give `--yes`")
    from schedsync.database.transaction import WaitOptions
    from schedsync.usecases import binding

    before = binding.view(using)
    if before.environment == chosen and not before.has_moved:
        show(lambda _paint: bound_text(chosen))
        return 0
    intent = intent_text(before.environment, chosen, before.enabled, before.strangers(chosen))
    say("\n".join(intent))
    if not yes and not click.confirm("\nBind it?", default=False, err=True):
        say("not bound")
        return 1
    binding.bind_database(using, chosen, WaitOptions(lock=lock_timeout))
    show(lambda _paint: bound_text(chosen))
    return 0


def _chosen(environment: str | None, *, none: bool) -> str | None:
    """Return the environment to bind to; raises WrongUsage where the options contradict each other, or name none."""
    if none and environment is not None:
        raise WrongUsage("an environment was given, and that there is none", hint="give only one")
    if not none and environment is None:
        raise WrongUsage("no environment is named", hint="give `-e NAME`, or `--none`")
    return environment


ledger.add_command(bind)
