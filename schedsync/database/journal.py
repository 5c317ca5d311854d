"""Reads the journal that Beats write: a constant number of queries, and a bounded number of segments."""

from __future__ import annotations

from datetime import datetime

from schedsync.core.journal import Journal, Reign


def records(using: str, row_id: int, since: datetime, until: datetime) -> Journal:
    """Return the records of one row, and those that concern all, whose ticks overlap a span of time."""
    raise NotImplementedError((using, row_id, since, until))


def reigns(using: str, since: datetime, until: datetime) -> list[Reign]:
    """Return who led in a span of time, the oldest first; nothing before the table is made."""
    raise NotImplementedError((using, since, until))
