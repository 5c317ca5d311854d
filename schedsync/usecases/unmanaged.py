"""Counts for ``schedsync doctor`` what Git does not manage yet: rows, and entries of Celery's settings."""

from __future__ import annotations

from collections.abc import Iterator

from schedsync.core.finding import Finding
from schedsync.core.names import and_more, first_names
from schedsync.core.status import Listed
from schedsync.database.faults import database_errors
from schedsync.database.management import unmanaged
from schedsync.database.observe import every_entry
from schedsync.usecases.celery_settings import beat_schedule_names

#: How many names a message lists.
_NAMED = 10


def unmanaged_findings(using: str) -> Iterator[Finding]:
    """Yield a finding of severity info for the rows that nobody manages, and one for entries of the settings."""
    in_settings = {name for name in beat_schedule_names() if not name.startswith("celery.")}
    with database_errors(using):
        rows = unmanaged(using)
        managed = {entry.name for entry in every_entry(using)} if in_settings else set()
    if rows.count:
        yield _rows(rows)
    if names := sorted(in_settings - managed):
        yield _entries(names)


def _rows(rows: Listed[str]) -> Finding:
    subject = "1 row is" if rows.count == 1 else f"{rows.count:,} rows are"
    names = ", ".join(rows.first[:_NAMED]) + and_more(rows.count, _NAMED)
    hint = "`schedsync import database` writes them as YAML"
    return Finding("SS335", f"{subject} managed by nobody: {names}", None, hint, "info", rows.first)


def _entries(names: list[str]) -> Finding:
    subject = "1 schedule is" if len(names) == 1 else f"{len(names):,} schedules are"
    message = f"{subject} defined in CELERY_BEAT_SCHEDULE, so that Beat writes each row again at its start"
    hint = "`schedsync import settings` writes them as YAML, and a patch that deletes them there"
    return Finding("SS308", f"{message}: {first_names(names, _NAMED)}", None, hint, "info", tuple(names))
