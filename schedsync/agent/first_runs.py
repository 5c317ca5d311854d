"""The first runs after an apply of the agent: looked at after each turn, logged, and told to a forge."""

from __future__ import annotations

import logging

from schedsync.core.commit_report import CommitReport, Section
from schedsync.errors import SchedsyncError
from schedsync.render.comment.first_runs import ended_line, rollout_section
from schedsync.usecases.agent import Turn
from schedsync.usecases.follow_logger import FollowLogger
from schedsync.usecases.rollout import look, rollout_of


def observe(turn: Turn) -> None:
    """Go on with the rollout of the turn's set; what the database refuses now is tried again after the next turn.

    A turn whose commit was not applied is left out: what that commit configures does not count.
    """
    if turn.target is None or (turn.problem is not None and turn.tried != turn.commit):
        return
    follow = FollowLogger(__name__, turn.follow)
    try:
        report = look(turn.target, follow.warning)
    except SchedsyncError as error:
        follow.warning("the first runs cannot be looked at: %s", error.message)
        return
    if report is None:
        return
    rollout, names = report.rollout, [run.name for run in report.first_runs.bad]
    follow.log(
        logging.ERROR if report.is_bad else logging.INFO, "%s", ended_line(rollout),
        extra={"run": str(rollout.run), "commit": rollout.commit, "rollout": rollout.state.value, "schedules": names},
    )  # fmt: skip


def sections(turn: Turn, report: CommitReport) -> tuple[Section, ...]:
    """Return what a forge is told of the first runs after the apply of a commit; also of one before a restart."""
    try:
        rollout = rollout_of(turn.using, turn.set, report.commit, report.run)
    except SchedsyncError as error:
        FollowLogger(__name__, turn.follow).warning("the first runs cannot be looked at: %s", error.message)
        return ()
    return () if rollout is None else (rollout_section(rollout),)
