"""Hands over to a standby at the end: what was sent is confirmed, the lease given back, and the standby woken."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass

from django.db import DatabaseError, InterfaceError

from schedsync.beat.dispatch import Dispatch
from schedsync.beat.heartbeat import Heartbeat
from schedsync.beat.leadership import Leadership
from schedsync.database.bounded import reconnect
from schedsync.database.notify import notify, publish

logger = logging.getLogger(__name__)


@dataclass
class HandOver:
    """Gives back what a Beat that ends still has."""

    using: str
    dispatch: Dispatch
    leadership: Leadership
    heartbeat: Heartbeat

    def give_back(self) -> None:
        """Give everything back; a connection that broke is made anew once. Raises nothing of the database."""
        for _ in range(2):
            try:
                self._give_back()
                break
            except (DatabaseError, InterfaceError) as error:
                reconnect(self.using)
                seconds = self.leadership.times.lease
                logger.warning("the lease is not given back, it ends in %g s: %s", seconds, error)

    def step_down(self) -> None:
        """Give the lease to another Beat, and go on as a standby; raises what the database raises."""
        with contextlib.suppress(DatabaseError, InterfaceError):
            self.dispatch.hand_over()
        self.leadership.resign()
        notify(self.using)
        publish()

    def _give_back(self) -> None:
        had_lease = self.leadership.held_epoch is not None
        with contextlib.suppress(DatabaseError, InterfaceError):
            self.dispatch.hand_over()
        self.leadership.resign()
        self.heartbeat.leave()
        if had_lease:
            notify(self.using)
            publish()
