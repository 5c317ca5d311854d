"""What `apply` and `rollback` print, and the exit code."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import click

from schedsync.commands.output import report, say, show, write_reports
from schedsync.core.first_run import FirstRuns
from schedsync.core.rollback import RolledBack
from schedsync.errors import Failed, FirstRunFailed, NotConfirmed, NotLoaded, SchedsyncError, WrongUsage
from schedsync.planning.outcome import Outcome
from schedsync.render.comment import markdown
from schedsync.render.comment.first_runs import first_runs
from schedsync.render.programs import json_
from schedsync.render.terminal.outcome import outcome as outcome_text
from schedsync.render.terminal.paint import Paint


@dataclass(frozen=True, slots=True)
class Applied:
    """The outcome of an apply, its set and environment.

    ``rolled_back`` is what a rollback keeps, None for an apply; ``left_alone`` is what an apply leaves alone.
    ``first_runs`` are those of the changed schedules, where they were watched.
    """

    outcome: Outcome
    set: str
    environment: str | None
    rolled_back: tuple[RolledBack, ...] | None = None
    left_alone: tuple[RolledBack, ...] = ()
    first_runs: FirstRuns | None = None


def applied_markdown(applied: Applied, extent: markdown.Extent) -> str:
    """Return an outcome, and its first runs if they were watched, as Markdown that fits an extent."""
    section = f"\n{first_runs(applied.first_runs)}" if applied.first_runs is not None else ""
    rest = replace(extent, limit=extent.limit - extent.size(section))
    return markdown.outcome(applied.outcome, applied.set, applied.environment, rest, applied.left_alone) + section


def _json(applied: Applied) -> str:
    kept = applied.left_alone if applied.rolled_back is None else applied.rolled_back
    return json_.outcome(applied.outcome, applied.set, applied.environment, kept, applied.first_runs)


RENDERINGS: Mapping[str, Callable[[Applied], str]] = {
    "json": _json,
    "markdown": lambda applied: applied_markdown(applied, markdown.COMMENT),
    "summary": lambda applied: applied_markdown(applied, markdown.SUMMARY),
}


def show_applied(
    applied: Applied,
    format_: str,
    reports: tuple[tuple[str, Path], ...] = (),
    watch: Callable[[uuid.UUID | None], FirstRuns | None] = lambda _run: None,
) -> int:
    """Write the outcome to stdout and into the reports, and its error if it has one; returns the exit code.

    ``watch`` returns the first runs after a run: people read the outcome before, programs together with them.
    """
    try:
        if format_ in RENDERINGS:
            applied = replace(applied, first_runs=watch(applied.outcome.run))
            click.echo(RENDERINGS[format_](applied))
        else:
            show(lambda paint: applied_text(applied, paint))
            applied = replace(applied, first_runs=watch(applied.outcome.run))
        code = exit_code(applied, format_)
        write_reports(RENDERINGS, applied, reports)
    except (OSError, Failed, WrongUsage) as error:
        reason = getattr(error, "strerror", None) or error
        say(f"committed as run {applied.outcome.run}, but the output cannot be written: {reason}")
        return NotConfirmed.exit_code
    return code


def applied_text(applied: Applied, paint: Paint) -> str:
    """Return an outcome as text for a terminal."""
    outcome = applied.outcome
    text_ = outcome_text(outcome, paint, applied.rolled_back)
    return f"\n{text_}" if outcome.changes else text_


def exit_code(applied: Applied, format_: str) -> int:
    """Return the exit code; shows the error that it stands for, except where JSON has it."""
    error = _error(applied)
    if error is None:
        return 0
    if format_ != "json":
        report(error, format_)
    return error.exit_code


def _error(applied: Applied) -> SchedsyncError | None:
    outcome = applied.outcome
    if outcome.unconfirmed:
        return NotConfirmed(outcome.unconfirmed)
    if not outcome.is_loaded:
        return NotLoaded(outcome.behind)
    bad = applied.first_runs.bad if applied.first_runs is not None else ()
    return FirstRunFailed([run.name for run in bad]) if bad else None
