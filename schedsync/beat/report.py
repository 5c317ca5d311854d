"""What this Beat reports beyond its heartbeat: rows that cannot run, the broker, its last tick, and its clock."""

from __future__ import annotations

import heapq
import json
import os
import socket
import time
import uuid
from dataclasses import asdict, replace
from typing import Any

from schedsync.beat.roster import Roster
from schedsync.beat.sender import Sender
from schedsync.beat.tables import Tables
from schedsync.core.counters import Counters
from schedsync.database.clock import DatabaseNow
from schedsync.models import Beat, BeatCounters, BeatReport

#: How many of the rows that cannot run are named.
NAMED = 20
#: The characters of a reason that are kept.
_MOST = 500
#: Seconds after which the rows that cannot run are looked through again although their number is the same.
_LOOK = 5.0
#: A change of one of these is written at once; the others wait for the next heartbeat.
_URGENT = ("broken_count", "broken", "broker_trouble")


class Report:
    """The row of ``BeatReport`` of this Beat; ``clock_ahead`` is in seconds, None while unknown, as ``environment``.

    Beat also runs on the tables of the previous version: then it reports nothing.
    """

    def __init__(self, using: str, beat: uuid.UUID, roster: Roster, sender: Sender, tables: Tables) -> None:
        self._using = using
        self._beat = beat
        self._roster = roster
        self._sender = sender
        self._tables = tables
        self._written: dict[str, Any] = {}
        self._broken: dict[str, Any] = {"broken_count": 0, "broken": "[]"}
        self._next_look = 0.0
        self._counted: Counters | None = None
        self.clock_ahead: float | None = None
        self.environment: str | None = None

    def changes(self, *, leads: bool) -> dict[str, Any]:
        """Return the columns that differ from what is written; only a leader knows how the broker is."""
        columns = {
            **self._read_broken(),
            "broker_trouble": self._sender.trouble if leads else "",
            "last_tick": self._sender.last_tick,
            "last_late": self._sender.last_late,
            "clock_ahead": self.clock_ahead,
            "environment": self.environment,
        }
        return {name: value for name, value in columns.items() if self._written.get(name, _UNKNOWN) != value}

    def is_urgent(self, changes: dict[str, Any]) -> bool:
        """Say whether the changes cannot wait for the next heartbeat."""
        return bool(self._written) and any(name in changes for name in _URGENT)

    def write(self, changes: dict[str, Any]) -> bool:
        """Write changes, and the counters, in the transaction of the heartbeat.

        Returns False where the table is missing.
        """
        self._write_counters()
        if not self._tables.has(BeatReport):
            return False
        columns = changes | self._since(changes)
        rows = BeatReport.objects.using(self._using)
        if columns and self._written and rows.filter(pk=self._beat).update(**columns):
            return True
        if columns:
            self._introduce({**self._written, **columns})
        return True

    def accept(self, changes: dict[str, Any]) -> None:
        """Note that the changes were committed."""
        self._written |= changes

    def leave(self) -> None:
        """Note the end; the row stays, so that ``status`` knows that a Beat of schedsync ran here, and until when."""
        if self._tables.has(BeatReport):
            BeatReport.objects.using(self._using).filter(pk=self._beat).update(ended_at=DatabaseNow())
        self._written.clear()

    def _since(self, changes: dict[str, Any]) -> dict[str, Any]:
        """Return since when the broker cannot be reached, if that changed."""
        if "broker_trouble" not in changes:
            return {}
        if not changes["broker_trouble"]:
            return {"broker_trouble_since": None}
        return {} if self._written.get("broker_trouble") else {"broker_trouble_since": DatabaseNow()}

    def _introduce(self, columns: dict[str, Any]) -> None:
        """Write the whole row, and delete the reports of Beats that have ended."""
        rows = BeatReport.objects.using(self._using)
        live = list(Beat.objects.using(self._using).values_list("pk", flat=True))
        rows.exclude(pk__in=[*live, self._beat]).delete()
        if self._tables.has(BeatCounters):
            BeatCounters.objects.using(self._using).exclude(pk__in=[*live, self._beat]).delete()
        name = f"{socket.gethostname()[:200]}:{os.getpid()}"
        rows.update_or_create(pk=self._beat, defaults={"name": name, "ended_at": None, **columns})

    def _write_counters(self) -> None:
        """Write the counters if they have changed; the first time they are a new row."""
        counters = self._sender.counters
        if counters == self._counted or not self._tables.has(BeatCounters):
            return
        # If the transaction is rolled back, the next heartbeat writes the row: it has counted on by then.
        self._counted = replace(counters)
        rows = BeatCounters.objects.using(self._using)
        if not rows.filter(pk=self._beat).update(**asdict(counters)):
            rows.create(pk=self._beat, **asdict(counters))

    def _read_broken(self) -> dict[str, Any]:
        broken = self._roster.broken
        if len(broken) == self._broken["broken_count"] and time.monotonic() < self._next_look:
            return self._broken
        self._next_look = time.monotonic() + _LOOK
        first = heapq.nsmallest(NAMED, ((row.name, row.reason[:_MOST]) for row in broken.values()))
        self._broken = {"broken_count": len(broken), "broken": json.dumps(first)}
        return self._broken


_UNKNOWN = object()
