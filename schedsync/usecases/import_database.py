"""Writes the YAML of the rows that nobody manages: reads the tables, and returns the text of the files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.timezone import get_default_timezone

from schedsync.database.clock import now
from schedsync.database.faults import database_errors
from schedsync.database.lock import read_only_transaction
from schedsync.database.observe import every_entry, observe_rows, observe_typed
from schedsync.files.progress import Progress, silent
from schedsync.importers.rows import Tables, candidates
from schedsync.usecases.celery_settings import beat_schedule_names
from schedsync.usecases.import_ import Imported, ImportForm, write_drafts


@dataclass(frozen=True, slots=True)
class DatabaseImport:
    """The files; the names in them that are also in CELERY_BEAT_SCHEDULE; the number of rows that each set manages."""

    imported: Imported
    dual_writers: tuple[str, ...]
    managed: Mapping[str, int]


def import_database(
    using: str, patterns: tuple[str, ...] = (), form: ImportForm | None = None, progress: Progress = silent
) -> DatabaseImport:
    """Return the rows that nobody manages as files; ``patterns`` are names and globs, without any all rows are meant.

    Raises WrongUsage where a pattern fits no row, Unavailable where the database does not answer or is not migrated.
    """
    progress("reading the tables")
    tables = read_tables(using, beat_schedule_names())
    found = candidates(tables, patterns)
    imported = write_drafts(found.drafts, found.left_out, form or ImportForm(), progress)
    return DatabaseImport(
        imported, tuple(sorted(imported.names & tables.dual_writers)), dict(sorted(found.managed.items()))
    )


def read_tables(using: str, dual_writers: frozenset[str] = frozenset()) -> Tables:
    """Return all rows, and what the ledger says of them."""
    with database_errors(using), read_only_transaction(using):
        rows, managed = list(observe_rows(using).rows.values()), every_entry(using)
        typed = observe_typed(using)
    return Tables(rows, managed, now(), get_default_timezone(), dual_writers, typed)
