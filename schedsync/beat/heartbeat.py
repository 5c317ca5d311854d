"""One row for each running Beat: whether it leads, and which change it has loaded."""

from __future__ import annotations

import logging
import os
import socket
import time
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import transaction

from schedsync.database.clock import DatabaseNow
from schedsync.models import Beat

logger = logging.getLogger(__name__)

#: Rows of Beats that ended without a word are kept so long.
_KEPT = timedelta(days=1)


@dataclass
class Heartbeat:
    """The row of this Beat, written when something in it changes, and else often enough to count as alive."""

    using: str
    id: uuid.UUID
    election: str
    every: float
    _said: dict[str, Any] = field(default_factory=dict)
    _next: float = 0.0

    def say(self, *, has_loaded: bool, **columns: Any) -> None:
        """Write what has changed, and when it was loaded; the times are the database's."""
        changed = {name: value for name, value in columns.items() if self._said.get(name, _NOTHING) != value}
        if not changed and not has_loaded and time.monotonic() < self._next:
            return
        times: dict[str, Any] = {"seen_at": DatabaseNow()}
        if has_loaded or "loaded" in changed:
            times["loaded_at"] = DatabaseNow()
        if "leads" in changed:
            times["leads_since"] = DatabaseNow() if changed["leads"] else None
        with transaction.atomic(using=self.using):
            rows = Beat.objects.using(self.using).filter(pk=self.id)
            # Whether a first row was written is not known, where its answer was lost.
            if not rows.update(**changed, **times):
                self._introduce({**self._said, **changed, **times})
        self._said |= changed
        self._next = time.monotonic() + self.every

    def _introduce(self, columns: dict[str, Any]) -> None:
        rows = Beat.objects.using(self.using)
        rows.filter(seen_at__lt=DatabaseNow() - _KEPT).delete()
        who = {"host": socket.gethostname()[:200], "pid": os.getpid(), "election": self.election}
        rows.create(pk=self.id, started_at=DatabaseNow(), **who, **columns)

    def others(self) -> list[str]:
        """Return where the leases of other live Beats live, if elsewhere than this one's."""
        live = Beat.objects.using(self.using).filter(seen_at__gt=DatabaseNow() - timedelta(seconds=3 * self.every))
        return sorted(set(live.exclude(pk=self.id).exclude(election=self.election).values_list("election", flat=True)))

    def leave(self) -> None:
        """Take the row away: who ends in good order is not missed."""
        Beat.objects.using(self.using).filter(pk=self.id).delete()
        self._said.clear()


_NOTHING = object()
