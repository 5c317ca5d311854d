"""The Beat that sends what is due while other Beats stand by: ``celery beat --scheduler schedsync.beat:Scheduler``.

It may import database, calendar, errors, core and models, and no other room imports it.
Begin with ``scheduler``, whose ``step`` is the whole cycle: reload, keep the lease, send; then read ``dispatch``, which
confirms, sends and claims.

Three words have one meaning each: a *slot* is an instant on a timing's grid, a *tick* is the slot that a Beat owes and
that a claim is for, and a *run* is the sending of one message for one tick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from schedsync.beat.scheduler import Scheduler

__all__ = ["Scheduler"]


def __getattr__(name: str) -> Any:
    """Import the scheduler only when it is asked for: modules of this room are imported where no Beat runs."""
    if name != "Scheduler":
        raise AttributeError(name)
    from schedsync.beat.scheduler import Scheduler

    return Scheduler
