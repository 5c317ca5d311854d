"""A Beat that keeps up, and stands by: ``celery --app shop beat --scheduler schedsync.beat:Scheduler``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from schedsync.beat.scheduler import Scheduler

__all__ = ["Scheduler"]


def __getattr__(name: str) -> Any:
    """Import the scheduler when it is asked for: what else lives here is needed where no Beat runs."""
    if name != "Scheduler":
        raise AttributeError(name)
    from schedsync.beat.scheduler import Scheduler

    return Scheduler
