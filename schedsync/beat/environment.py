"""Whether this Beat may send from its database: a copy that was loaded into another environment must fire nothing."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field

from django.db.models import Exists, Q

from schedsync.beat.roster import Roster
from schedsync.beat.tables import Tables
from schedsync.core.names import counted
from schedsync.database.environment import named_environment, rows
from schedsync.database.server import Server, changes, server_of
from schedsync.models import EnvironmentBinding

logger = logging.getLogger(__name__)

#: How many schedules a line of the log names.
_NAMED = 20
#: Seconds until a Beat that stands still says it again.
_AGAIN = 3600.0


@dataclass
class OwnEnvironment:
    """The environment that this Beat names, and the one that its database belongs to; ``bound`` is None for none."""

    using: str
    tables: Tables
    name: str | None = field(default_factory=named_environment)
    bound: str | None = None
    _next_report: float = 0.0
    _has_compared: bool = False

    @property
    def fits(self) -> bool:
        """Whether this Beat may send, as far as it was read last."""
        return self.bound in (None, self.name)

    @property
    def trouble(self) -> str:
        """Why this Beat stands still, or an empty text."""
        if self.fits:
            return ""
        named = f"this Beat names `{self.name}`" if self.name else "this Beat names none (SCHEDSYNC_ENVIRONMENT)"
        return f"stands still: the database belongs to `{self.bound}`, and {named}"

    def look(self) -> bool:
        """Read what the database is bound to; returns whether this Beat may send."""
        row = rows(self.using).first() if self.tables.has(EnvironmentBinding) else None
        self.bound = None if row is None else row.environment
        if row is not None and not self._has_compared:
            self._compare(row)
        if self.fits and self._next_report:
            logger.warning(
                "stands still no longer: the database belongs to %s",
                f"`{self.bound}`" if self.bound else "no environment",
            )
            self._next_report = 0.0
        return self.fits

    def condition(self) -> Q:
        """Return the condition for a query that finds nothing in a database of another environment."""
        if not self.tables.has(EnvironmentBinding):
            return Q()
        others = rows(self.using) if self.name is None else rows(self.using).exclude(environment=self.name)
        return ~Q(Exists(others))

    def _compare(self, row: EnvironmentBinding) -> None:
        """Warn once if the database is on another server than when it was bound: perhaps it is a copy."""
        self._has_compared = True
        if moved := changes(Server(row.server_id, row.host), server_of(self.using)):
            logger.warning(
                "the database was bound to `%s` on another server (%s): if this is a copy, say so by "
                "`schedsync ledger bind -e NAME`",
                row.environment, ", ".join(moved), extra={"environment": row.environment},
            )  # fmt: skip

    def report(self, roster: Roster) -> None:
        """Log what this Beat would send, when it finds that it must not, and then once an hour."""
        if self.fits or time.monotonic() < self._next_report:
            return
        self._next_report = time.monotonic() + _AGAIN
        ahead = sorted((tick, row.name) for row in roster.schedules.values() if (tick := row.wakes_at) is not None)
        first = "; ".join(f"{name} at {tick:%Y-%m-%d %H:%M:%S} UTC" for tick, name in ahead[:_NAMED])
        logger.error(
            "%s. It would send %s, first: %s. If it is right here: `schedsync ledger bind -e %s`",
            self.trouble, counted(len(ahead), "schedule"), first or "none", self.name or "NAME",
            extra={"environment": self.name, "bound": self.bound, "schedules": [name for _, name in ahead]},
        )  # fmt: skip
