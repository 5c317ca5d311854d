"""Imports the entries of the settings and the rows of the tables together, and compares the runs with the files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from schedsync.calendar.run_comparison import RunComparison
from schedsync.config import read_config
from schedsync.core.location import Location
from schedsync.core.schedule import Schedule
from schedsync.core.sources import no_sources
from schedsync.files.progress import Progress, silent
from schedsync.importers.celery_settings import BeatSchedule
from schedsync.importers.rows import Tables, candidates
from schedsync.importers.settings_entries import entry_candidates
from schedsync.usecases.celery_settings import beat_schedule, beat_schedule_names, celery_app
from schedsync.usecases.compare_sources import Source
from schedsync.usecases.import_ import ImportForm, write_drafts
from schedsync.usecases.import_database import read_tables
from schedsync.usecases.import_settings import SettingsImport, with_patch
from schedsync.usecases.run_comparison import CompareRequest, compare, window_of
from schedsync.usecases.target import Target, desired_of

_LENGTH = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Existing:
    """What the settings and the tables define today."""

    settings: BeatSchedule
    tables: Tables

    @property
    def entries(self) -> frozenset[str]:
        """The names that the settings define, without those of Celery."""
        names = {schedule.name for schedule in self.settings.schedules}
        names |= {item.name for item in self.settings.not_taken}
        return frozenset(name for name in names if not name.startswith("celery."))

    @property
    def sets(self) -> Mapping[str, int]:
        """The number of schedules that each set manages already."""
        counts: dict[str, int] = {}
        for entry in self.tables.managed:
            counts[entry.set] = counts.get(entry.set, 0) + 1
        return dict(sorted(counts.items()))


@dataclass(frozen=True, slots=True)
class BothImport:
    """The files and the patch; ``schedules`` are what both sources run today, by name, without what is left out."""

    of: SettingsImport
    schedules: Mapping[str, Schedule]


def read_existing(using: str, progress: Progress = silent) -> Existing:
    """Read both sources.

    Raises WrongUsage where the settings have entries and the project has no Celery app, Unavailable where the database
    does not answer or is not migrated.
    """
    progress("reading the settings")
    has_settings = celery_app() is not None or bool(beat_schedule_names())
    settings = beat_schedule() if has_settings else BeatSchedule()
    progress("reading the tables")
    return Existing(settings, read_tables(using))


def import_both(existing: Existing, progress: Progress = silent) -> BothImport:
    """Return the files with both sources; of an entry that is a row too, what the settings say counts."""
    entries = entry_candidates(existing.settings, existing.tables, ())
    names = {draft.name for draft in entries.drafts} | {each.name for each in entries.left_out}
    rows = candidates(existing.tables, (), names)
    drafts = [*entries.drafts, *rows.drafts]
    imported = write_drafts(drafts, [*entries.left_out, *rows.left_out], ImportForm(in_one=False), progress)
    progress("writing the patch")
    specs = {name: spec for draft in drafts for name, spec in draft.specs.items() if name in imported.names}
    schedules = {name: Schedule(name, spec, Location(name, 1, 1)) for name, spec in specs.items()}
    return BothImport(with_patch(existing.settings, entries, imported), schedules)


def compare_written(existing: Existing, result: BothImport, progress: Progress = silent) -> RunComparison:
    """Compare the runs of the files that were written, as they are configured, with those of both sources."""
    _, desired, _ = desired_of(Target(read_config(None), progress=progress), no_sources)
    progress("comparing the runs")
    rows = existing.tables.rows
    source = Source(
        title="CELERY_BEAT_SCHEDULE and the tables",
        schedules=result.schedules,
        files=desired.schedules,
        assumptions=("what is left out goes on as it is",),
        last_runs={row.name: last for row in rows if (last := row.last_run_at or row.date_changed)},
    )
    return compare(source, CompareRequest(window_of(existing.tables.now, _LENGTH)))
