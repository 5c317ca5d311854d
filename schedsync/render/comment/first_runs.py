"""The first runs after an apply as Markdown: for its own output, a pull request's comment and a commit's status."""

from __future__ import annotations

from collections.abc import Iterator

from schedsync.core.commit_report import Section
from schedsync.core.first_run import BAD, FirstRuns
from schedsync.core.rollout import UNFINISHED, Rollout, RolloutState
from schedsync.core.timing import moment
from schedsync.render.code_spans import code
from schedsync.render.first_runs import counts_text, rollout_line, run_lines
from schedsync.render.words import printable

_ENDS = {RolloutState.ROLLED_BACK: "; rolled back", RolloutState.REFUSED: "; the rollback was refused"}


def title(value: FirstRuns) -> str:
    """Return one line of plain text without names, such as a commit's status shows it."""
    ended = value.rollout.state if value.rollout is not None else None
    return f"First runs: {counts_text(value)}{_ENDS.get(ended, '') if ended else ''}"


def ended_line(rollout: Rollout) -> str:
    """Return how a rollout ended on one line of plain text, with the apply that it is about."""
    apply = f"commit {rollout.commit[:12]}" if rollout.commit else f"apply {str(rollout.run)[:8]}"
    if rollout.state is RolloutState.PASSED:
        return printable(f"{apply}: first runs: {rollout.text}")
    return printable(f"{apply}: {rollout.text}{_ENDS.get(rollout.state, '')}")


def rollout_section(rollout: Rollout) -> Section:
    """Return what a forge is told of a rollout."""
    if rollout.state is RolloutState.SUPERSEDED:
        return Section("First runs: no longer watched, a newer apply or a rollback followed")
    if rollout.state in UNFINISHED:
        return Section(f"First runs: watched until {moment(rollout.deadline)} UTC", state="pending")
    if rollout.state is RolloutState.PASSED:
        return Section(f"First runs: {rollout.text}")
    heading = f"First runs: failed{_ENDS.get(rollout.state, '')}"
    return Section(heading, (f"- **{code(rollout.text)}**",), "failure")


def markdown_lines(value: FirstRuns) -> Iterator[str]:
    """Yield a line for each run that did not end well, or that is not known; bad ones are bold."""
    for verdict, line in run_lines(value):
        yield f"- **{code(line)}**" if verdict in BAD else f"- {code(line)}"
    if end := rollout_line(value):
        yield f"- {code(end)}"


def first_runs(value: FirstRuns) -> str:
    """Write a section."""
    return "\n".join([f"**{title(value)}**", "", *markdown_lines(value), ""])
