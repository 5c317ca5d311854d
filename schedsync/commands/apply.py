"""``schedsync apply``: make the database match the files."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from schedsync.commands.all_sets import Output, for_each_set, set_options, sets_to_run
from schedsync.commands.applied import RENDERINGS, Applied, applied_markdown, applied_text, exit_code, show_applied
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
from schedsync.commands.output import say, show
from schedsync.commands.parameters import Seconds
from schedsync.commands.publishing import publish_applied, publish_option
from schedsync.commands.terminal import ProgressLine, progress_line
from schedsync.core.published import Place
from schedsync.core.rollback import RolledBack
from schedsync.errors import WrongUsage
from schedsync.planning.approval import Assertion
from schedsync.planning.plan import Plan
from schedsync.render.terminal import text

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
    publish: Place | None
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
    publish_option,
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
    if request.publish is not None:
        raise WrongUsage("a snapshot is of one set", hint="give the directory of one set as PATH instead of `--all`")
    if request.watch is not None:
        raise WrongUsage("`--watch` watches one set", hint="apply the directory of one set as PATH")

    def apply_set(one_set: FileOptions) -> Applied | None:
        with progress_line() as progress:
            return _apply(replace(request, files=one_set), progress)

    output = Output(
        RENDERINGS["json"], applied_text, lambda applied: exit_code(applied, request.format_), applied_markdown
    )
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
    if outcome is not None and request.publish is not None:
        progress.clear()
        publish_applied(request.publish, chosen.using, chosen.config.set)
    return None if outcome is None else Applied(outcome, chosen.config.set, chosen.environment, None, left_alone)


def has_terminal() -> bool:
    """Say whether a human can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def writing(count: int) -> str:
    """Return the line of progress while changes are written."""
    return f"writing {count:,} change{'s' * (count != 1)}, or waiting for the apply lock"
