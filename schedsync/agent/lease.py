"""Which of several agents acts: the lease and the session lock of the Beats, in a row of their own."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass, field

from django.db import DatabaseError, InterfaceError, connections

from schedsync.beat import leadership
from schedsync.beat.elections import DatabaseElection, renew_row
from schedsync.beat.leadership import Leadership
from schedsync.beat.lease_times import LeaseTimes
from schedsync.beat.lease_watch import watch_of
from schedsync.beat.tables import Tables
from schedsync.core.refusal import Refusal
from schedsync.usecases.agent import LOST
from schedsync.usecases.follow_logger import DatabaseLogger

#: The row of the agents' lease.
ROW = 2
#: A turn may take longer than a lease: the fence keeps an agent that acts no longer from writing.
_TIMES = LeaseTimes(lease=60.0, renew=10.0, retry=2.0)


@dataclass
class AgentLease:
    """Whether this agent acts; ``problem`` is why the database cannot say.

    With ``is_one_of_several`` the agent has a lease in other databases too, so that log lines begin with the alias.
    """

    using: str
    times: LeaseTimes = _TIMES
    is_one_of_several: bool = False
    problem: str | None = None
    _holder: uuid.UUID = field(default_factory=uuid.uuid4)

    def __post_init__(self) -> None:
        self._tables = Tables(self.using)
        election = DatabaseElection(self.using, self._holder, self.times, row=ROW)
        watch = watch_of("database", self.using, self._holder, self.times.retry, self._tables, ROW)
        self._logger = self._logger_of(__name__)
        self._leadership = Leadership(election, self.times, watch, log=self._logger_of(leadership.__name__))

    def _logger_of(self, module: str) -> DatabaseLogger:
        return DatabaseLogger(module, self.using if self.is_one_of_several else None)

    def keep(self) -> bool:
        """Renew the lease, or ask for it, when it is time to; returns whether this agent acts. Raises nothing."""
        acted = self._leadership.leads
        try:
            self._tables.require()
            acts = self._leadership.keep()
        except (DatabaseError, InterfaceError) as error:
            self._fail(error)
            return False
        self.problem = None
        if acts and not acted:
            epoch = self._leadership.epoch
            self._logger.warning("this agent acts, epoch %d", epoch, extra={"epoch": epoch})
        return acts

    def _fail(self, error: Exception) -> None:
        if self.problem is None:
            self._logger.error("the database does not say which agent acts: %s", error)
        self.problem = str(error)
        self._leadership.lose("the database failed", database_failed=True)
        self._tables.ask_again()
        with suppress(DatabaseError, InterfaceError):
            connections[self.using].close()

    def fence(self) -> tuple[Refusal, ...]:
        """Return a refusal unless the lease is this agent's in the current transaction, which keeps it so."""
        epoch = self._leadership.epoch
        if epoch is not None and renew_row(self.using, self._holder, epoch, self.times.span, ROW):
            return ()
        return (Refusal(LOST, "another agent acts", "this one stands by"),)

    def resign(self) -> None:
        """Give the lease back, so that another agent need not wait for its end; raises nothing."""
        try:
            self._leadership.resign()
        except (DatabaseError, InterfaceError) as error:
            self._logger.info("the lease was not given back: %s", error)
