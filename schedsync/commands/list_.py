"""``schedsync list``: one line for each schedule, or a matrix of the environments."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import click

from schedsync.commands.django import set_up
from schedsync.commands.help import WHERE
from schedsync.commands.options import (
    DatabaseOptions,
    FileOptions,
    database_options,
    environment_option,
    format_option,
    gather,
    is_typed,
    option,
    verb,
)
from schedsync.commands.output import show
from schedsync.commands.selectors import Selected, selector_options
from schedsync.commands.terminal import columns, is_terminal, progress_line
from schedsync.core.listing import STATES
from schedsync.errors import WrongUsage
from schedsync.render.programs.listing import listing_json, matrix_json
from schedsync.render.terminal.listing import listing_text, matrix_text


@dataclass(frozen=True, slots=True)
class ListRequest:
    """One call of ``list``."""

    unmanaged: bool
    states: tuple[str, ...]
    environments: bool
    differ: bool
    path: str | None
    environment: str | None

    @property
    def chosen_states(self) -> tuple[str, ...]:
        """The states to list; empty for all."""
        return ("unmanaged",) if self.unmanaged else self.states


@verb("Show one line for each schedule: state, timing, next and last run.")
@selector_options("List all schedules, as without a selector.")
@gather(
    "request",
    ListRequest,
    option("--unmanaged", is_flag=True, help="List only the rows that nobody manages."),
    option(
        "--state",
        "states",
        multiple=True,
        type=click.Choice(STATES),
        metavar="STATE",
        help=f"List only schedules in this state, of: {', '.join(STATES)}; can be given several times.",
    ),
    option("--environments", is_flag=True, help="Compare the environments instead; reads only the files."),
    option("--differ", is_flag=True, help="With --environments, list only what is not the same in all of them."),
    option(
        "--path",
        heading=WHERE,
        metavar="PATH",
        help="The directory of the schedules, or one file. With it, `removing` is also what the next apply removes.",
    ),
    environment_option,
)
@database_options
@format_option("json")
def list_(selected: Selected, request: ListRequest, database: DatabaseOptions, format_: str) -> int:
    """List the schedules of all sets in the database, and the rows that nobody manages, by name.

    The next run is counted from the row as Beat counts it. The last run and how late it was sent are known where
    schedsync's own Beat has sent it.

    With --environments it reads the files instead, and needs no database: one column for each environment that the
    configuration declares.
    """
    _check(request, database)
    if request.environments:
        return _matrix(selected, request, format_)
    return _list(selected, request, database, format_)


list_.name = "list"


def _check(request: ListRequest, database: DatabaseOptions) -> None:
    """Raise WrongUsage for a flag that cannot apply."""
    if request.unmanaged and any(state != "unmanaged" for state in request.states):
        raise WrongUsage("`--unmanaged` and another `--state` exclude each other", hint="leave one of them out")
    if request.differ and not request.environments:
        raise WrongUsage("`--differ` compares environments", hint="give `--environments --differ`")
    if is_typed("environment") and (request.path is None or request.environments):
        raise WrongUsage("`--environment` needs the files of one environment", hint="give it with `--path schedules`")
    if request.environments:
        given = {
            "--unmanaged": request.unmanaged,
            "--state": request.states,
            "--database": database.database,
        }
        if flags := [flag for flag, value in given.items() if value]:
            raise WrongUsage(f"`{flags[0]}` cannot apply to `--environments`, which reads no database")


def _width() -> int | None:
    return columns(sys.stdout) if is_terminal(sys.stdout) else None


def _matrix(selected: Selected, request: ListRequest, format_: str) -> int:
    from schedsync.usecases.environments import matrix

    config = FileOptions(request.path, None).config()
    with progress_line() as progress:
        value = matrix(config, selected.selector("list"), only_differing=request.differ, progress=progress)
    if format_ == "json":
        click.echo(matrix_json(value))
    else:
        show(lambda paint: matrix_text(value, paint, _width()))
    return 0


def _list(selected: Selected, request: ListRequest, database: DatabaseOptions, format_: str) -> int:
    selector = selected.selector("list")
    using = set_up(database)
    from schedsync.usecases.list_ import Wanted, list_schedules

    with progress_line() as progress:
        set_name, names = _desired(request)
        wanted = Wanted(selector, request.chosen_states, set_name, names)
        value = list_schedules(using, wanted, progress)
    if format_ == "json":
        click.echo(listing_json(value))
    else:
        show(lambda paint: listing_text(value, paint, _width()))
    return 0


def _desired(request: ListRequest) -> tuple[str | None, frozenset[str] | None]:
    """Return the set of the files and the names whose rows stay; None for both without a path.

    Beside those that the files define, a row stays that gets another name, or that is only no longer managed.
    """
    if request.path is None:
        return None, None
    from schedsync.usecases.sources import sources_in_settings
    from schedsync.usecases.target import Target, desired_of

    config = FileOptions(request.path, request.environment).config()
    _, desired, _ = desired_of(Target(config, environment=request.environment), sources_in_settings())
    renamed = {schedule.renamed_from for schedule in desired.schedules.values() if schedule.renamed_from}
    return config.set, desired.kept_rows | renamed | desired.schedules.keys()
