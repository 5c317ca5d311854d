"""``schedsync apply``: make the database match the files."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from schedsync.commands.all_sets import Output, for_each_set, set_options, sets_to_run
from schedsync.commands.django import target
from schedsync.commands.documents import read_plan
from schedsync.commands.first_runs import watch_option, watched
from schedsync.commands.options import (
    DatabaseOptions,
    FileOptions,
    LiftedRules,
    commit_option,
    database_options,
    existing_file,
    format_option,
    gather,
    lifting_options,
    lock_timeout_option,
    option,
    renamed,
    report_option,
    settle_option,
    verb,
    verbose_option,
)
from schedsync.commands.output import report, say, show, write_reports
from schedsync.commands.parameters import Seconds
from schedsync.commands.terminal import ProgressLine, progress_line
from schedsync.core.first_run import FirstRuns
from schedsync.core.rollback import RolledBack
from schedsync.errors import Failed, FirstRunFailed, NotConfirmed, NotLoaded, SchedsyncError, WrongUsage
from schedsync.planning.approval import Assertion
from schedsync.planning.outcome import Outcome
from schedsync.planning.plan import Plan
from schedsync.render.comment import markdown
from schedsync.render.comment.first_runs import first_runs
from schedsync.render.programs import json_
from schedsync.render.terminal import text
from schedsync.render.terminal.outcome import outcome as outcome_text
from schedsync.render.terminal.paint import Paint

if TYPE_CHECKING:
    from schedsync.database.transaction import WaitOptions
    from schedsync.usecases.target import Target


@dataclass(frozen=True, slots=True)
class ApplyRequest:
    """One call of ``apply``; the waiting times are in seconds. ``reviewed`` is the old name of ``plan_file``."""

    files: FileOptions
    database: DatabaseOptions
    lifted: LiftedRules
    format_: str
    reports: tuple[tuple[str, Path], ...]
    yes: bool
    plan_file: Path | None
    reviewed: Path | None
    exact: bool
    checksum: str | None
    settle: float
    wait: bool
    timeout: float
    lock_timeout: float
    watch: float | None
    commit: str | None
    verbose: bool

    def assertion(self) -> Assertion:
        """Return what the plan of this call must be; raises WrongUsage if flags contradict, or the file is no plan."""
        file = self.plan_file or self.reviewed
        if self.plan_file and self.reviewed:
            raise WrongUsage("two plan files were given", hint="give only one")
        if self.exact and file is None:
            raise WrongUsage("`--exact` needs a plan", hint="give `--plan FILE`")
        return Assertion(self.checksum, read_plan(file) if file else None, self.exact)

    def waiting(self, progress: ProgressLine) -> WaitOptions:
        """Return how this call waits; Django must be set up."""
        from schedsync.database.transaction import WaitOptions

        beats = self.timeout if self.wait else 0.0
        return WaitOptions(settle=self.settle, lock=self.lock_timeout, beats=beats, say=progress.or_else(say))


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


def _markdown(applied: Applied, extent: markdown.Extent) -> str:
    section = f"\n{first_runs(applied.first_runs)}" if applied.first_runs is not None else ""
    rest = replace(extent, limit=extent.limit - extent.size(section))
    return markdown.outcome(applied.outcome, applied.set, applied.environment, rest, applied.left_alone) + section


def _json(applied: Applied) -> str:
    kept = applied.left_alone if applied.rolled_back is None else applied.rolled_back
    return json_.outcome(applied.outcome, applied.set, applied.environment, kept, applied.first_runs)


RENDERINGS: Mapping[str, Callable[[Applied], str]] = {
    "json": _json,
    "markdown": lambda applied: _markdown(applied, markdown.COMMENT),
    "summary": lambda applied: _markdown(applied, markdown.SUMMARY),
}


@verb("Apply the files to the database, in one transaction.")
@set_options
@database_options
@lifting_options()
@renamed("--wait-timeout", "--timeout", type=Seconds())
@gather(
    "request",
    ApplyRequest,
    option("-y", "--yes", is_flag=True, help="Do not ask; required without a terminal."),
    option(
        "--plan",
        "plan_file",
        type=existing_file,
        metavar="FILE",
        help="Allow only changes that this file of `plan --out` holds; exit 3 and name each other change.",
    ),
    option("--reviewed", type=existing_file, metavar="FILE", hidden=True),
    option("--exact", is_flag=True, help="With `--plan`: exit 4 unless the changes are exactly those of the file."),
    option("--checksum", metavar="SUM", hidden=True),
    settle_option,
    option(
        "--wait",
        is_flag=True,
        help="Wait until every running Beat of schedsync has loaded the change; exit 6 if one has not in time.",
    ),
    option(
        "--timeout",
        type=Seconds(),
        default="60s",
        show_default=True,
        metavar="DURATION",
        help="How long `--wait` waits.",
    ),
    lock_timeout_option,
    watch_option,
    commit_option,
    format_option("json", "markdown", "summary"),
    report_option(RENDERINGS),
    verbose_option,
)
def apply(request: ApplyRequest) -> int:
    """Compare the files below PATH with the database, show the changes, ask, and write them.

    Either all changes are written or none. A running Beat loads them within seconds. Afterwards the rows are read
    again: if Beat has undone a change by writing back an old row, the change is written again. With --all each set
    below PATH is applied, one after the other; a set that is refused does not stop the others.
    """
    if request.files.all_sets:
        return _apply_all(request)
    targets: list[Target] = []
    with progress_line() as progress:
        applied = _apply(request, progress, targets.append)
    if applied is None:
        say("Nothing was written.")
        return 1
    watch = partial(watched, targets[-1], request.watch, format_=request.format_)
    return show_applied(applied, request.format_, request.reports, watch)


def _apply_all(request: ApplyRequest) -> int:
    """Apply each set below the path; a plan or a checksum would be of one set."""
    if request.plan_file or request.reviewed or request.exact or request.checksum:
        hint = "give the directory of one set as PATH instead of `--all`"
        raise WrongUsage("a reviewed plan is of one set", hint=hint)
    if request.watch is not None:
        raise WrongUsage("`--watch` watches one set", hint="apply the directory of one set as PATH")

    def apply_set(one_set: FileOptions) -> Applied | None:
        with progress_line() as progress:
            return _apply(replace(request, files=one_set), progress)

    output = Output(RENDERINGS["json"], _text, lambda applied: exit_code(applied, request.format_), _markdown)
    return for_each_set(sets_to_run(request.files, apply_set), output, request.format_, reports=request.reports)


def _apply(
    request: ApplyRequest, progress: ProgressLine, told: Callable[[Target], None] = lambda _target: None
) -> Applied | None:
    """Plan, ask and write; returns None if the user says no. ``told`` gets what is applied."""
    assertion = request.assertion()
    chosen = target(request.files, request.database, request.lifted, progress, request.commit)
    told(chosen)
    from schedsync.usecases import sync

    left_alone: tuple[RolledBack, ...] = ()

    def agree(current: Plan) -> bool:
        nonlocal left_alone
        left_alone = current.rolled_back
        progress.clear()
        if not (request.yes or current.refusals or has_terminal()):
            raise WrongUsage("there is no terminal to ask on", hint="give `--yes`")
        if request.format_ == "text":
            # The error below the plan shows the refusals.
            show(lambda paint: text.plan(replace(current, refusals=()), paint, verbose=request.verbose))
        asked = not (request.yes or current.refusals or not current.changes)
        if asked and not click.confirm(f"\n{text.question(current)}", default=False, prompt_suffix=" ", err=True):
            return False
        progress(writing(len(current.changes)))
        return True

    def note(message: str) -> None:
        progress.clear()
        say(message)

    outcome = sync.apply(chosen, agree, request.waiting(progress), assertion, pinned=not request.yes, note=note)
    return None if outcome is None else Applied(outcome, chosen.config.set, chosen.environment, None, left_alone)


def has_terminal() -> bool:
    """Say whether a human can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def writing(count: int) -> str:
    """Return the line of progress while changes are written."""
    return f"writing {count:,} change{'s' * (count != 1)}, or waiting for the apply lock"


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
            show(lambda paint: _text(applied, paint))
            applied = replace(applied, first_runs=watch(applied.outcome.run))
        code = exit_code(applied, format_)
        write_reports(RENDERINGS, applied, reports)
    except (OSError, Failed, WrongUsage) as error:
        reason = getattr(error, "strerror", None) or error
        say(f"committed as run {applied.outcome.run}, but the output cannot be written: {reason}")
        return NotConfirmed.exit_code
    return code


def _text(applied: Applied, paint: Paint) -> str:
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
