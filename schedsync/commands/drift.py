"""``schedsync drift``: name what someone changed behind Git's back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import click

from schedsync.commands.all_sets import Output, for_each_set, set_options, sets_to_run
from schedsync.commands.django import target
from schedsync.commands.options import (
    DatabaseOptions,
    FileOptions,
    commit_option,
    database_options,
    format_option,
    report_option,
    verb,
)
from schedsync.commands.output import say, show, write_reports
from schedsync.commands.terminal import progress_line
from schedsync.planning.plan import Plan
from schedsync.render.comment import markdown
from schedsync.render.programs import json_
from schedsync.render.terminal import drift as text

_RENDERINGS: Mapping[str, Callable[[Plan], str]] = {
    "json": json_.drift,
    "markdown": markdown.drift,
    "summary": lambda plan: markdown.drift(plan, markdown.SUMMARY),
}


@verb("Name what someone changed behind Git's back.")
@set_options
@database_options
@commit_option
@format_option("json", "markdown", "summary")
@report_option(_RENDERINGS)
def drift(
    files: FileOptions,
    database: DatabaseOptions,
    commit: str | None,
    format_: str,
    reports: tuple[tuple[str, Path], ...],
) -> int:
    """Name each managed schedule that someone changed in the database since the last apply, and who did it.

    Exits 2 if there is drift, if a human has disabled a schedule, or if a monitor was deleted or changed at its
    service, else 0. The names of people come from the log of
    Django's admin, if the edit was made there. With --all each set below PATH is looked at.
    """

    def drift_of(chosen: FileOptions) -> Plan:
        with progress_line() as progress:
            found = target(chosen, database, progress=progress, commit=commit)
            from schedsync.usecases import sync

            def note(message: str) -> None:
                progress.clear()
                say(message)

            return sync.told_drift(found, note)

    if files.all_sets:
        output = Output(json_.drift, text.drift, _code, markdown.drift)
        return for_each_set(sets_to_run(files, drift_of), output, format_, reports=reports)
    plan = drift_of(files)
    write_reports(_RENDERINGS, plan, reports)
    if format_ in _RENDERINGS:
        click.echo(_RENDERINGS[format_](plan))
    else:
        show(lambda paint: text.drift(plan, paint, files.path))
    return _code(plan)


def _code(plan: Plan) -> int:
    return 2 if plan.changes or plan.held or plan.rolled_back or plan.monitors else 0
