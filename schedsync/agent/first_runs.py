"""Looks at the first runs after each turn of the agent, and logs how a rollout ended."""

from __future__ import annotations

import logging
from typing import Protocol

from schedsync.errors import SchedsyncError
from schedsync.render.comment.first_runs import title
from schedsync.usecases.rollout import look
from schedsync.usecases.target import Target

logger = logging.getLogger(__name__)


class HasTarget(Protocol):
    """A turn of the agent: the set that it was about, None where its configuration cannot be read."""

    @property
    def target(self) -> Target | None:
        """The set."""


def observe(turn: HasTarget) -> None:
    """Go on with the rollout of the turn's set; what the database refuses now is tried again after the next turn."""
    if turn.target is None:
        return
    try:
        report = look(turn.target, logger.warning)
    except SchedsyncError as error:
        logger.warning("the first runs cannot be looked at: %s", error.message)
        return
    if report is None:
        return
    rollout, names = report.rollout, [run.name for run in report.first_runs.bad]
    logger.log(
        logging.ERROR if report.is_bad else logging.INFO, "%s; %s", title(report.first_runs), rollout.text,
        extra={"run": str(rollout.run), "commit": rollout.commit, "rollout": rollout.state.value, "schedules": names},
    )  # fmt: skip
