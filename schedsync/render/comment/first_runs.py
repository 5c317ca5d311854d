"""The first runs after an apply as Markdown: for its own output, a pull request's comment and a commit's status."""

from __future__ import annotations

from collections.abc import Iterator

from schedsync.core.commit_report import Section
from schedsync.core.first_run import BAD, FirstRuns
from schedsync.core.rollout import UNFINISHED, Rollout, RolloutState
from schedsync.core.timing import moment
from schedsync.render.code_spans import code
from schedsync.render.first_runs import counts_text, rollout_line, run_lines

_ENDS = {RolloutState.ROLLED_BACK: "; rolled back", RolloutState.REFUSED: "; the rollback was refused"}


def title(value: FirstRuns) -> str:
    """Return one line of plain text without names, such as a commit's status shows it."""
    ended = value.rollout.state if value.rollout is not None else None
    return f"First runs: {counts_text(value)}{_ENDS.get(ended, '') if ended else ''}"


def rollout_section(rollout: Rollout) -> Section | None:
    """Return what a forge is told of a rollout; None of one that a newer apply superseded."""
    if rollout.state is RolloutState.SUPERSEDED:
        return None
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
