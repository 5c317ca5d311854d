"""``schedsync apply``: make the database what the files say."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from schedsync.commands.common import (
    Seconds,
    database_options,
    environment_option,
    format_option,
    override_options,
    paint,
    path_argument,
    read_plan,
    report,
    report_option,
    say,
    setup_django,
    target,
    verb,
    write_reports,
)
from schedsync.core.change import Change
from schedsync.core.secrets import is_masked
from schedsync.errors import NotConfirmed, NotLoaded, WrongUsage
from schedsync.planning.documents import SavedPlan
from schedsync.planning.outcome import Outcome
from schedsync.planning.plan import Plan
from schedsync.render import json_, markdown, text

_OF_THE_FILES = (
    "path",
    "checksum",
    "reviewed",
    "adopt",
    "max_stops",
    "allow_empty",
    "allow_dual_writer",
    "allow_older",
    "move_set",
)


@click.command(short_help="Apply the files to the database, in one transaction.")
@path_argument
@environment_option
@database_options
@override_options()
@format_option("json", "markdown")
@report_option(("json", "markdown"))
@click.option("-y", "--yes", is_flag=True, help="Don't ask; needed where there is no terminal.")
@click.option(
    "--plan", "plan_file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
    help="Apply a plan that `plan --out` saved; 4 where the tables have changed since.",
)  # fmt: skip
@click.option("--checksum", metavar="SUM", help="Apply only if the plan is the one that was reviewed; else 4.")
@click.option(
    "--reviewed", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
    help="Apply only changes that this saved plan holds, or a part of them; else 3, and names what nobody reviewed.",
)  # fmt: skip
@click.option(
    "--settle", type=Seconds(), default=6.0, show_default="6s", metavar="DURATION",
    help="Wait so long for a poll of Beat and look again, where rows were changed; 0 not to.",
)  # fmt: skip
@click.option(
    "--wait", is_flag=True, help="Return when every running Beat of schedsync's own has loaded it; 6 if one has not."
)
@click.option(
    "--wait-timeout",
    type=Seconds(),
    default=60.0,
    show_default="60s",
    metavar="DURATION",
    help="How long `--wait` waits.",
)
@click.option(
    "--lock-timeout", type=Seconds(), default=0.0, metavar="DURATION", help="Wait so long for another apply's lock."
)
@verb
def apply(
    format_: str,
    yes: bool,
    plan_file: Path | None,
    settle: float,
    wait: bool,
    wait_timeout: float,
    lock_timeout: float,
    reports: Sequence[tuple[str, Path]],
    **options: Any,
) -> int:
    """Compare the files below PATH with the database, show the changes, ask, and write them.

    All of it is written or nothing. A running Beat picks it up within seconds. Afterwards it is read back: what
    Beat undid with a stale row is written again.
    """
    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    if not yes and not interactive:
        raise WrongUsage("there is no terminal to ask on", hint="give `--yes`")
    waiting = {"settle": settle, "lock": lock_timeout, "beats": wait_timeout * wait, "say": say}
    if plan_file is not None:
        saved = _read(plan_file, options)
        set_name, environment = saved.set, saved.binding.environment
        done = _saved(plan_file, saved, yes, waiting, options)
    else:
        chosen = target(options)
        set_name, environment = chosen.config.set, chosen.environment
        done = _live(chosen, yes, format_, waiting, options)
    if done is None:
        say("not applied")
        return 1
    renderings: Mapping[str, Callable[[Outcome], str]] = {
        "json": lambda outcome: json_.outcome(outcome, set_name, environment),
        "markdown": lambda outcome: markdown.outcome(outcome, set_name, environment),
    }
    try:
        code = _told(done, format_, renderings)
        write_reports(renderings, done, reports)
    except (OSError, WrongUsage) as error:
        say(f"committed as run {done.run}, but it cannot be written out: {getattr(error, 'strerror', None) or error}")
        return NotConfirmed.exit_code
    return code


def _live(chosen: Any, yes: bool, format_: str, waiting: dict[str, Any], options: dict[str, Any]) -> Outcome | None:
    from schedsync.database.transaction import WaitOptions
    from schedsync.usecases import sync

    reviewed = read_plan(options["reviewed"]) if options["reviewed"] else None

    def agree(current: Plan) -> bool:
        if format_ == "text":
            # Refusals are told once, as the error that they are.
            click.echo(text.plan(replace(current, refusals=()), paint(sys.stdout)))
        return yes or bool(current.refusals) or not current.changes or _confirmed()

    pinning = {"checksum": options["checksum"], "reviewed": reviewed, "pinned": not yes}
    return sync.apply(chosen, agree, WaitOptions(**waiting), **pinning)


def _confirmed() -> bool:
    return click.confirm("\nApply these changes?", default=False, err=True)


def _read(file: Path, options: dict[str, Any]) -> SavedPlan:
    typed = click.get_current_context().get_parameter_source("environment") == _TYPED
    given = [name for name in _OF_THE_FILES if options[name]] + ["environment"] * typed
    if given:
        word = "PATH" if given[0] == "path" else f"--{given[0].replace('_', '-')}"
        raise WrongUsage(f"`{word}` cannot apply to a saved plan", hint="give it to `plan`, where the plan is made")
    saved = read_plan(file)
    hidden = next((change.name for change in saved.changes if _is_masked(change)), None)
    if hidden is not None:
        hint = "it was made against a snapshot: give it as `--reviewed`"
        raise WrongUsage(f"secrets of `{hidden}` are masked in {file}, it cannot be applied", hint=hint)
    return saved


def _is_masked(change: Change) -> bool:
    return any(is_masked(one.after) for one in change.fields if one.field in ("args", "kwargs", "headers"))


def _saved(file: Path, saved: SavedPlan, yes: bool, waiting: dict[str, Any], options: dict[str, Any]) -> Outcome | None:
    setup_django(options["settings"], options["database"])
    from schedsync.database.transaction import WaitOptions
    from schedsync.usecases import sync

    if not yes and not click.confirm(f"Apply the {len(saved.changes):,} changes of {file}?", default=False, err=True):
        return None
    return sync.apply_saved(options["database"], saved, WaitOptions(**waiting))


_TYPED = click.core.ParameterSource.COMMANDLINE


def _told(done: Outcome, format_: str, renderings: Mapping[str, Callable[[Outcome], str]]) -> int:
    if format_ in renderings:
        click.echo(renderings[format_](done))
    elif done.changes:
        click.echo("\n" + text.outcome(done, paint(sys.stdout)))
    else:
        click.echo(text.outcome(done))
    error = NotConfirmed(done.unconfirmed) if done.unconfirmed else NotLoaded(done.behind)
    if not done.unconfirmed and done.is_loaded:
        return 0
    if format_ != "json":
        report(error, format_)
    return error.exit_code
