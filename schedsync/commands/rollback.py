"""``schedsync rollback``: go back to an earlier apply or commit, and stay there until the files change."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import click

from schedsync.commands.applied import Applied, show_applied
from schedsync.commands.apply import has_terminal, writing
from schedsync.commands.django import target
from schedsync.commands.help import WHERE
from schedsync.commands.options import (
    DatabaseOptions,
    FileOptions,
    LiftedRules,
    database_options,
    environment_option,
    format_option,
    gather,
    is_typed,
    lifting_options,
    lock_timeout_option,
    option,
    settle_option,
    verb,
    verbose_option,
)
from schedsync.commands.output import say, show
from schedsync.commands.parameters import Seconds
from schedsync.commands.terminal import ProgressLine, progress_line
from schedsync.errors import NotConfirmed, Refused, SchedsyncError, WrongUsage
from schedsync.planning.plan import Plan
from schedsync.render.comment import markdown
from schedsync.render.programs import json_
from schedsync.render.terminal import rollback as texts
from schedsync.render.terminal import text
from schedsync.render.terminal.paint import Paint
from schedsync.render.words import printable

if TYPE_CHECKING:
    from schedsync.database.transaction import WaitOptions
    from schedsync.usecases.rollback import RollbackOrder, WayBack
    from schedsync.usecases.rollback_branch import Branch
    from schedsync.usecases.target import Target


@dataclass(frozen=True, slots=True)
class RollbackRequest:
    """One call of ``rollback``; the waiting times are in seconds. ``words`` are RUN or COMMIT, or names to end."""

    path: str | None
    environment: str | None
    reason: str | None
    branch: str | None
    dry_run: bool
    end: bool
    yes: bool
    settle: float
    wait: bool
    timeout: float
    lock_timeout: float
    verbose: bool
    format_: str
    words: tuple[str, ...] = ()

    @property
    def files(self) -> FileOptions:
        """Which set is meant."""
        return FileOptions(self.path, self.environment)

    @property
    def reference(self) -> str | None:
        """The run or the commit to go back to; raises WrongUsage for more than one."""
        if len(self.words) > 1:
            raise WrongUsage("two states to go back to were given", hint="give one RUN or COMMIT")
        return self.words[0] if self.words else None

    def waiting(self, progress: ProgressLine) -> WaitOptions:
        """Return how this call waits; Django must be set up."""
        from schedsync.database.transaction import WaitOptions

        beats = self.timeout if self.wait else 0.0
        return WaitOptions(settle=self.settle, lock=self.lock_timeout, beats=beats, say=progress.or_else(say))


@verb("Go back to an earlier apply, until the files change.")
@click.argument("words", nargs=-1, metavar="[RUN|COMMIT]")
@gather(
    "request",
    RollbackRequest,
    option("--path", heading=WHERE, metavar="PATH", help="The files of the set, as PATH of the other verbs."),
    environment_option,
    option("--reason", metavar="TEXT", help="Why; shown to everyone who looks. Required without a terminal."),
    option("--branch", metavar="NAME", help="Commit the earlier files on a new branch too, for a pull request."),
    option("--dry-run", is_flag=True, help="Show what would change, and write nothing."),
    option("--end", is_flag=True, help="End rollbacks, of all schedules or of those named: their files count again."),
    option("-y", "--yes", is_flag=True, help="Do not ask; required without a terminal."),
    settle_option,
    option("--wait", is_flag=True, help="Wait until every running Beat of schedsync has loaded the change."),
    option("--timeout", type=Seconds(), default="60s", show_default=True, metavar="DURATION",
           help="How long `--wait` waits."),
    lock_timeout_option,
    verbose_option,
    format_option("json", "markdown", "summary"),
    without=("words",),
)  # fmt: skip
@database_options
@lifting_options("adopt", "adopt_all", "adopt_from", "allow_older", "allow_move", "allow_dirty")
def rollback(words: tuple[str, ...], request: RollbackRequest, database: DatabaseOptions, lifted: LiftedRules) -> int:
    """Take back what a run of apply has changed, in one transaction; without RUN the last one that changed something.

    With COMMIT the whole set goes back to the files of that commit, which Git gives without a checkout. The rules of an
    apply hold: limits on stops, freezes, the lock.

    While the files still say what was rolled back, applies leave these schedules alone, and say so. It ends by itself
    when the files say something else, such as the fix, or with --end, which takes names and globs.
    """
    request = replace(request, words=words)
    if request.end:
        return _end(request, database)
    with progress_line() as progress:
        chosen = target(request.files, database, lifted, progress)
        if request.dry_run:
            return _dry_run(request, chosen, progress)
        applied = _rolled_back(request, chosen, progress)
    if applied is None:
        say("Nothing was written.")
        return 1
    code = show_applied(applied.applied, request.format_)
    return _make_branch(applied.branch) or code


def _order(request: RollbackRequest, reason: str | None) -> RollbackOrder:
    from schedsync.usecases.rollback import RollbackOrder

    return RollbackOrder(request.reference, request.path, reason)


def _dry_run(request: RollbackRequest, chosen: Target, progress: ProgressLine) -> int:
    """Show the way back; exits 3 if it would be refused."""
    from schedsync.usecases.rollback import way_back

    way = way_back(chosen, _order(request, request.reason))
    progress.clear()
    if request.format_ == "text":
        show(lambda paint: _text(way, paint, request))
    else:
        click.echo(_PLANS[request.format_](way.plan))
    return Refused.exit_code if way.plan.refusals else 0


_PLANS: Mapping[str, Callable[[Plan], str]] = {
    "json": json_.plan,
    "markdown": markdown.plan,
    "summary": lambda plan: markdown.plan(plan, markdown.SUMMARY),
}


def _text(way: WayBack, paint: Paint, request: RollbackRequest) -> str:
    lines = [_headline(way)]
    if way.done:
        count = f"{len(way.done):,} schedules are" if len(way.done) > 1 else "1 schedule is"
        lines.append(f"{count} as before already")
    return "\n".join([*lines, text.plan(way.plan, paint, verbose=request.verbose)])


def _headline(way: WayBack) -> str:
    run = way.of
    if run is None:
        return texts.to_commit(way.commit or "")
    return texts.before_run(str(run.id), run.verb, run.who, run.at, run.binding.commit_text, way.plan.now)


class _Done(NamedTuple):
    """What a rollback did, and the branch that is still to be made."""

    applied: Applied
    branch: Branch | None


def _rolled_back(request: RollbackRequest, chosen: Target, progress: ProgressLine) -> _Done | None:
    """Plan, ask and write; returns None if the user says no."""
    from schedsync.usecases.rollback import rollback as carry_out
    from schedsync.usecases.rollback_branch import prepared_branch

    order = _order(request, _reason(request))
    ways: list[WayBack] = []
    branches: list[Branch] = []

    def agree(way: WayBack) -> bool:
        progress.clear()
        ways.append(way)
        plan = way.plan
        if request.branch is not None and not plan.refusals:
            branches.append(prepared_branch(chosen, order, way, request.branch))
        if request.format_ == "text":
            # The error below the plan shows the refusals.
            shown = replace(way, plan=replace(plan, refusals=()))
            show(lambda paint: _text(shown, paint, request))
        asked = not (request.yes or plan.refusals or not plan.writes)
        if asked and not click.confirm(f"\n{text.question(plan)}", default=False, prompt_suffix=" ", err=True):
            return False
        progress(writing(len(plan.changes)))
        return True

    outcome = carry_out(chosen, order, agree, request.waiting(progress), pinned=not request.yes)
    if outcome is None:
        return None
    plan = ways[-1].plan
    kept = plan.marks.new if outcome.run else ()
    return _Done(
        Applied(outcome, chosen.config.set, plan.binding.environment, kept), branches[-1] if branches else None
    )


def _make_branch(branch: Branch | None) -> int:
    """Make the branch after the rollback; returns 0, or the exit code where Git cannot."""
    if branch is None:
        return 0
    from schedsync.usecases.rollback_branch import make_branch

    name = branch.revert.branch
    try:
        commit = make_branch(branch)
    except SchedsyncError as error:
        say(f"the rollback is committed, but not the branch: {error.message}")
        return NotConfirmed.exit_code
    say(f"Branch {printable(name)} is at {commit[:12]}: git push -u origin {shlex.quote(name)}")
    return 0


def _reason(request: RollbackRequest) -> str:
    """Return why, asking for it in a terminal; raises WrongUsage where nobody can be asked."""
    if request.reason is not None and request.reason.strip():
        return request.reason
    if not has_terminal():
        hint = "give `--reason TEXT`, for the people who see it later; or only look: `--dry-run`"
        raise WrongUsage("a rollback needs a reason", hint=hint)
    if not request.yes and request.reason is None:
        return str(click.prompt("Why?", err=True))
    raise WrongUsage("a rollback needs a reason", hint="give `--reason TEXT`, for the people who see it later")


def _end(request: RollbackRequest, database: DatabaseOptions) -> int:
    """End rollbacks of the set."""
    for name in ("branch", "dry_run", "yes", "wait"):
        if is_typed(name):
            raise WrongUsage(f"`--{name.replace('_', '-')}` cannot apply to `--end`", hint="leave it out")
    with progress_line() as progress:
        chosen = target(request.files, database, progress=progress)
        from schedsync.usecases.rollback_end import end_rollbacks

        waiting = request.waiting(progress)
        marks = end_rollbacks(
            chosen.using, chosen.config.set, request.words, request.reason, waiting, chosen.environment
        )
    if request.format_ == "json":
        click.echo(texts.ended_json(marks))
    else:
        show(lambda _paint: texts.ended_text(marks))
    return 0
