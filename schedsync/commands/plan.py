"""``schedsync plan``: what would an apply do?"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click

from schedsync.commands.common import (
    database_options,
    environment_option,
    format_option,
    load_snapshot,
    override_options,
    paint,
    path_argument,
    report_option,
    say,
    snapshot_option,
    target,
    target_of,
    verb,
    write_reports,
)
from schedsync.config import read_config
from schedsync.errors import WrongUsage
from schedsync.planning.plan import Plan
from schedsync.render import github, json_, markdown, text

RENDERINGS: Mapping[str, Callable[[Plan], str]] = {
    "json": json_.plan,
    "markdown": markdown.plan,
    "github": lambda plan: github.findings(plan.notices),
}


@click.command(short_help="Show what an apply would do, and what follows from it.")
@path_argument
@environment_option
@database_options
@override_options()
@format_option("json", "markdown", "github")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Save it for `apply --plan`.",
)
@snapshot_option
@report_option(RENDERINGS)
@click.option("--exit-code", is_flag=True, help="Exit 2 where there are changes.")
@verb
def plan(
    format_: str,
    out: Path | None,
    exit_code: bool,
    against: Path | None,
    reports: Sequence[tuple[str, Path]],
    **options: Any,
) -> int:
    """Compare the files below PATH with the database, and show every change and its consequences.

    Nothing is written. What a safety rule refuses is shown with the way out; `apply` then exits 3. With --against
    a snapshot stands for the database, and neither Django nor any credentials are needed.
    """
    current = _live(options) if against is None else _against(against, options)
    if out is not None:
        save(current, out, "reviewed" if against else "plan")
    write_reports(RENDERINGS, current, reports)
    click.echo(RENDERINGS[format_](current) if format_ in RENDERINGS else text.plan(current, paint(sys.stdout)))
    return 2 if exit_code and (current.changes or current.refusals) else 0


def _live(options: dict[str, Any]) -> Plan:
    chosen = target(options)
    from schedsync.usecases import sync

    return sync.plan(chosen)


def _against(file: Path, options: dict[str, Any]) -> Plan:
    for name in ("settings", "database"):
        if click.get_current_context().get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE:
            raise WrongUsage(f"`--{name}` cannot apply to a snapshot", hint="give it to `snapshot`, where that is made")
    from schedsync.usecases.plan_against import plan_against

    return plan_against(
        target_of(read_config(options["path"]), options), load_snapshot(file), datetime.now(timezone.utc)
    )


def save(current: Plan, out: Path, flag: str) -> None:
    """Save a plan for a later apply."""
    try:
        out.write_text(json_.compact_plan(current), encoding="utf-8")
    except OSError as error:
        raise WrongUsage(f"cannot write `{out}`: {error.strerror}") from error
    say(f"saved to {out}, for `schedsync apply --{flag} {out}`")
