"""``schedsync plan``: show what an apply would do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

import click

from schedsync.commands.all_sets import Output, Together, for_each_set, set_options, sets_to_run
from schedsync.commands.django import target, target_without_database
from schedsync.commands.documents import load_snapshot, save_plan
from schedsync.commands.help import OUTPUT
from schedsync.commands.options import (
    DatabaseOptions,
    FileOptions,
    LiftedRules,
    commit_option,
    database_options,
    format_option,
    is_typed,
    lifting_options,
    new_file,
    option,
    report_option,
    snapshot_option,
    verb,
    verbose_option,
)
from schedsync.commands.output import show, write_reports
from schedsync.commands.terminal import ProgressLine, progress_line
from schedsync.core.finding import Finding
from schedsync.core.published import Place
from schedsync.errors import Refused, WrongUsage
from schedsync.planning.notices import refusal_findings
from schedsync.planning.plan import Plan
from schedsync.render.comment import markdown
from schedsync.render.programs import github, json_
from schedsync.render.terminal import text
from schedsync.render.terminal.paint import Paint


def _findings(plan: Plan) -> Sequence[Finding]:
    return (*refusal_findings(plan.refusals), *plan.notices)


_TOGETHER: Mapping[str, Together[Plan]] = {"github": Together(_findings, github.findings)}
RENDERINGS: Mapping[str, Callable[[Plan], str]] = {
    "json": json_.plan,
    "markdown": markdown.plan,
    "summary": lambda plan: markdown.plan(plan, markdown.SUMMARY),
    "github": lambda plan: github.findings(_findings(plan)),
}


@verb("Show what an apply would do, and what follows from it.")
@set_options
@database_options
@snapshot_option
@commit_option
@lifting_options()
@format_option("json", "markdown", "summary", "github")
@option("--out", heading=OUTPUT, type=new_file, metavar="FILE", help="Save the plan for `apply --plan`.")
@report_option(RENDERINGS)
@verbose_option
@option("--exit-code", is_flag=True, help="Exit 2 if there are changes.")
def plan(
    files: FileOptions,
    database: DatabaseOptions,
    lifted: LiftedRules,
    against: Place | None,
    commit: str | None,
    format_: str,
    out: Path | None,
    reports: tuple[tuple[str, Path], ...],
    verbose: bool,
    exit_code: bool,
) -> int:
    """Compare the files below PATH with the database, and show every change and its consequences.

    Nothing is written. A change that a safety rule refuses is shown with a hint; `plan` then exits 3, as `apply`
    does. With --against the plan compares with a snapshot, and needs neither Django nor credentials. With --all each
    set below PATH is planned.
    """

    def plan_set(chosen: FileOptions) -> Plan:
        with progress_line() as progress:
            if against is None:
                return _plan_live(chosen, database, lifted, progress, commit)
            return _plan_against(against, chosen, lifted, progress, commit)

    if files.all_sets:
        _check_all(out, against)
        shown, code = partial(_text, verbose=verbose), partial(_code, exit_code=exit_code)
        output = Output(json_.plan, shown, code, markdown.plan, _TOGETHER)
        return for_each_set(sets_to_run(files, plan_set), output, format_, reports=reports)
    current = plan_set(files)
    if out is not None:
        save_plan(current, out)
    write_reports(RENDERINGS, current, reports)
    if format_ in RENDERINGS:
        click.echo(RENDERINGS[format_](current))
    else:
        show(lambda paint: _text(current, paint, verbose=verbose))
    return _code(current, exit_code=exit_code)


def _text(value: Plan, paint: Paint, *, verbose: bool) -> str:
    return f"{text.plan(value, paint, verbose=verbose)}\n{text.unmanaged(value)}"


def _code(value: Plan, *, exit_code: bool) -> int:
    if value.refusals:
        return Refused.exit_code
    return 2 if exit_code and value.changes else 0


def _check_all(out: Path | None, against: Place | None) -> None:
    """Raise WrongUsage for a file that cannot be of several sets."""
    if out is not None:
        raise WrongUsage("a plan file is of one set", hint="give the directory of one set as PATH instead of `--all`")
    if against is not None:
        raise WrongUsage("a snapshot is of one set", hint="give the directory of one set as PATH instead of `--all`")


def _plan_live(
    files: FileOptions, database: DatabaseOptions, lifted: LiftedRules, progress: ProgressLine, commit: str | None
) -> Plan:
    chosen = target(files, database, lifted, progress, commit)
    from schedsync.usecases import sync

    return sync.plan(chosen, asks_tasks=True)


def _plan_against(
    place: Place, files: FileOptions, lifted: LiftedRules, progress: ProgressLine, commit: str | None
) -> Plan:
    for name in ("settings", "pythonpath", "database"):
        if is_typed(name):
            raise WrongUsage(f"`--{name}` cannot apply to a snapshot", hint="give it to `schedsync snapshot`")
    from schedsync.usecases.plan_against import plan_against

    chosen = target_without_database(files, lifted, progress=progress, commit=commit)
    return plan_against(chosen, load_snapshot(place), datetime.now(timezone.utc))
