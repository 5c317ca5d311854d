"""Writes the YAML of the entries in CELERY_BEAT_SCHEDULE, and the patch that deletes them there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.timezone import get_default_timezone

from schedsync.database.clock import now
from schedsync.files.progress import Progress, silent
from schedsync.importers.celery_settings import BeatSchedule
from schedsync.importers.rows import Tables
from schedsync.importers.settings_entries import EntryCandidates, entry_candidates
from schedsync.usecases.celery_settings import beat_schedule
from schedsync.usecases.import_ import Imported, ImportForm, write_drafts
from schedsync.usecases.import_database import read_tables
from schedsync.usecases.settings_patch import SettingsPatch, settings_patch


@dataclass(frozen=True, slots=True)
class SettingsImport:
    """The files, and the patch.

    ``rows`` are the names in the files that are rows too, with the fields in which the row differs from the settings.
    ``stopped`` are those that are disabled because their row is.
    """

    imported: Imported
    rows: Mapping[str, tuple[str, ...]]
    stopped: tuple[str, ...]
    patch: SettingsPatch


def import_settings(
    using: str | None, patterns: tuple[str, ...] = (), form: ImportForm | None = None, progress: Progress = silent
) -> SettingsImport:
    """Return the entries of the settings as files; ``patterns`` are names and globs, without any all are meant.

    ``using`` is the database with the rows of the same names, None to ask none. Raises WrongUsage where the project has
    no Celery app or a pattern fits no entry, Unavailable where the database does not answer or is not migrated.
    """
    progress("reading the settings")
    read = beat_schedule()
    tables = Tables((), (), now(), get_default_timezone()) if using is None else read_tables(using)
    found = entry_candidates(read, tables, patterns)
    imported = write_drafts(found.drafts, found.left_out, form or ImportForm(), progress)
    progress("writing the patch")
    return with_patch(read, found, imported)


def with_patch(read: BeatSchedule, found: EntryCandidates, imported: Imported) -> SettingsImport:
    """Return the files with the patch for the entries in them, and what is to be said of their rows."""
    tasks = {schedule.name: schedule.spec.task for schedule in read.schedules if schedule.name in imported.names}
    return SettingsImport(
        imported,
        {name: fields for name, fields in found.rows.items() if name in imported.names},
        tuple(name for name in found.stopped if name in imported.names),
        settings_patch(tasks),
    )
