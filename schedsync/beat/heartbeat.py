"""The heartbeat: one row for each running Beat, which says whether it leads and which change it has loaded."""

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

from schedsync.beat.journal_writer import JournalWriter
from schedsync.beat.report import Report
from schedsync.database.clock import DatabaseNow
from schedsync.models import Beat

logger = logging.getLogger(__name__)

#: Rows of Beats that did not end in good order are deleted after a day.
_KEPT = timedelta(days=1)


@dataclass
class Heartbeat:
    """The row of this Beat, written when a column changes, and every ``every`` seconds to count as alive.

    With it the Beat's report is written, if it has changed, and the journal.
    """

    using: str
    id: uuid.UUID
    election: str
    every: float
    report: Report
    journal: JournalWriter
    _written: dict[str, Any] = field(default_factory=dict)
    _next: float = 0.0

    @property
    def trouble(self) -> str:
        """The warning of the last heartbeat, or an empty text."""
        return str(self._written.get("trouble", ""))

    def write(self, *, leads: bool, has_loaded: bool, **columns: Any) -> None:
        """Write the columns that changed, and the time of the load; times are by the database's clock."""
        columns["leads"] = leads
        changed = {name: value for name, value in columns.items() if self._written.get(name, _UNKNOWN) != value}
        reported = self.report.changes(leads=leads)
        is_time = changed or has_loaded or self.report.is_urgent(reported) or time.monotonic() >= self._next
        if is_time:
            self._write(changed, reported, has_loaded=has_loaded)
            self.journal.write(leads=leads)

    def _write(self, changed: dict[str, Any], reported: dict[str, Any], *, has_loaded: bool) -> None:
        times: dict[str, Any] = {"seen_at": DatabaseNow()}
        if has_loaded or "loaded" in changed:
            times["loaded_at"] = DatabaseNow()
        if "leads" in changed:
            times["leads_since"] = DatabaseNow() if changed["leads"] else None
        with transaction.atomic(using=self.using):
            rows = Beat.objects.using(self.using).filter(pk=self.id)
            # If the answer to the first insert was lost, it is not known whether the row is there.
            if not rows.update(**changed, **times):
                self._introduce({**self._written, **changed, **times})
            is_reported = self.report.write(reported)
        self._written |= changed
        if is_reported:
            self.report.accept(reported)
        self._next = time.monotonic() + self.every

    def begin(self) -> None:
        """Write the time since which this Beat leads anew: perhaps nothing was written while it did not lead."""
        self._written.pop("leads", None)

    def _introduce(self, columns: dict[str, Any]) -> None:
        rows = Beat.objects.using(self.using)
        rows.filter(seen_at__lt=DatabaseNow() - _KEPT).delete()
        process = {"host": socket.gethostname()[:200], "pid": os.getpid(), "election": self.election}
        rows.create(pk=self.id, started_at=DatabaseNow(), **process, **columns)

    def other_elections(self) -> list[str]:
        """Return where other live Beats keep their lease, if elsewhere than this Beat."""
        live = Beat.objects.using(self.using).filter(seen_at__gt=DatabaseNow() - timedelta(seconds=3 * self.every))
        return sorted(set(live.exclude(pk=self.id).exclude(election=self.election).values_list("election", flat=True)))

    def leave(self) -> None:
        """Delete the row: a Beat that ends in good order is not missing."""
        self.journal.close()
        self.report.leave()
        Beat.objects.using(self.using).filter(pk=self.id).delete()
        self._written.clear()


_UNKNOWN = object()
