"""Compares this process's clock with the database's: a Beat whose clock is wrong sends everything early, or late."""

from __future__ import annotations

import logging
import math
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from schedsync.beat.tables import Tables
from schedsync.database.clock import DatabaseNow, database_time
from schedsync.models import Beat, BeatReport

logger = logging.getLogger(__name__)

#: Seconds of difference that are said loudly; it is over below half of them, so that the log does not swing.
_LOUD = 1.0
#: The default of SCHEDSYNC_CLOCK_LIMIT, in seconds.
_LIMIT = 5.0


def clock_limit() -> float:
    """Return SCHEDSYNC_CLOCK_LIMIT, in seconds; raises ImproperlyConfigured where it is not more than one."""
    value = getattr(settings, "SCHEDSYNC_CLOCK_LIMIT", None)
    limit = _LIMIT if value is None else value
    if isinstance(limit, bool) or not isinstance(limit, (int, float)) or not _LOUD <= limit < math.inf:
        raise ImproperlyConfigured(f"SCHEDSYNC_CLOCK_LIMIT is a number of seconds, at least {_LOUD:g}, not {limit!r}")
    return float(limit)


@dataclass
class ClockCheck:
    """How far this process's clock is ahead of the database's, in seconds; ``ahead`` is None until it is measured.

    ``uncertain`` is half of the time that the last question took. ``limit`` is from where on another Beat should lead.
    """

    using: str
    holder: uuid.UUID
    election: str
    lease: timedelta
    tables: Tables
    limit: float = field(default_factory=clock_limit)
    ahead: float | None = None
    uncertain: float = 0.0
    _is_loud: bool = False

    @property
    def difference(self) -> float:
        """By how many seconds the clocks differ at least."""
        return max(abs(self.ahead or 0.0) - self.uncertain, 0.0)

    @property
    def reported(self) -> float | None:
        """The difference that is certain, to a tenth, so that milliseconds are not written again and again."""
        return None if self.ahead is None else round(math.copysign(self.difference, self.ahead), 1)

    @property
    def agrees(self) -> bool:
        """Whether the difference is within the limit, as far as it is known."""
        return self.difference <= self.limit

    def measure(self) -> None:
        """Ask for the database's time, and log a difference once, and once when it is over."""
        began, asked = time.monotonic(), datetime.now(timezone.utc)
        answer = database_time(self.using)
        self.uncertain = (time.monotonic() - began) / 2
        self.ahead = round((asked - answer).total_seconds() + self.uncertain, 3)
        if not self._is_loud and self.difference > _LOUD:
            self._is_loud = True
            logger.error("%s: tasks run too %s", self.text, "early" if self._is_ahead else "late")
        elif self._is_loud and self.difference < _LOUD / 2:
            self._is_loud = False
            logger.warning("this Beat's clock agrees with the database's again")

    @property
    def _is_ahead(self) -> bool:
        return (self.ahead or 0.0) > 0

    @property
    def text(self) -> str:
        """The difference, in words."""
        side = "ahead of" if self._is_ahead else "behind"
        return f"this Beat's clock is {abs(self.ahead or 0.0):.1f} s {side} the database's"

    def has_better(self, environment: str | None) -> bool:
        """Say whether a live Beat with the same election has a clock that agrees, and may lead.

        ``environment`` is the one that the database is bound to, if it is.
        """
        if not self.tables.has(BeatReport):
            return False
        live = Beat.objects.using(self.using).filter(seen_at__gt=DatabaseNow() - self.lease, election=self.election)
        agreeing = BeatReport.objects.using(self.using).filter(
            clock_ahead__range=(-self.limit, self.limit), beat__in=live.exclude(pk=self.holder).values("pk")
        )
        if environment is not None:
            agreeing = agreeing.filter(environment=environment)
        return bool(agreeing.exists())
