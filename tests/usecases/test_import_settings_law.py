"""Rows that stock Beat has written from the settings: an import and its apply change what it says, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from celery import current_app
from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import ModelEntry
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schedsync.importers.celery_settings import read_beat_schedule
from schedsync.importers.settings_entries import EntryCandidates, entry_candidates
from schedsync.usecases.import_ import ImportForm, write_drafts
from schedsync.usecases.import_database import read_tables
from tests.conftest import Project
from tests.usecases.test_import_law import INSTANTS, directory
from tests.usecases.test_import_sources import ENTRIES

#: The columns of a row, by the fields that have another name.
COLUMNS = {
    "timing": {"interval_id", "crontab_id", "solar_id", "clocked_id"},
    "expires_after": {"expire_seconds"},
    "expires_at": {"expires"},
    "start_at": {"start_time"},
}
#: Written by every save.
TIMES = {"date_changed", "last_run_at", "total_run_count"}
NAMES = [f"entry {number}" for number in range(8)]
#: What a human changes in a row between two starts of Beat.
EDITS = st.fixed_dictionaries(
    {},
    optional={
        "enabled": st.booleans(),
        "description": st.sampled_from(["", "by jo"]),
        "start_time": INSTANTS,
        "expires": INSTANTS,
        "queue": st.sampled_from([None, "other"]),
        "total_run_count": st.sampled_from([0, 3]),
    },
)


def start_beat(entries: Mapping[str, Any]) -> None:
    """Write entries into rows as stock Beat does at its start; those that it cannot write are only logged there."""
    for name, entry in entries.items():
        try:
            with transaction.atomic(using=PeriodicTask.objects.db):
                ModelEntry.from_entry(name, app=current_app, **entry)
        except (DatabaseError, ValidationError, ValueError, TypeError, AttributeError, OverflowError):
            continue


def rows() -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in PeriodicTask.objects.order_by("pk").values()}


def may_change(found: EntryCandidates, name: str) -> set[str]:
    fields = found.rows.get(name, ())
    return TIMES | {column for field in fields for column in COLUMNS.get(field, {field})}


@given(ENTRIES, st.lists(EDITS, min_size=4, max_size=8))
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_an_apply_after_an_import_changes_only_what_it_has_named(
    project: Project, clock: object, entries: Mapping[str, Any], edits: list[dict[str, Any]]
) -> None:
    named = dict(zip(NAMES, entries.values(), strict=False))
    with directory(project):
        start_beat(named)
        for name, edit in zip(NAMES, edits, strict=False):
            PeriodicTask.objects.filter(name=name).update(**edit)
        before = rows()
        read = read_beat_schedule(named, current_app.timezone)
        found = entry_candidates(read, read_tables(project.using), ())
        imported = write_drafts(found.drafts, found.left_out, ImportForm())
        for file, text in imported.texts.items():
            project.write(text, f"schedules/{file}")
        if not imported.taken:
            return
        applied = project.apply()
        after = rows()

        assert applied.code == 0, applied.err
        assert project.plan("--exit-code").code == 0
        for name, row in before.items():
            changed = {column for column, value in row.items() if after[name][column] != value}
            assert changed <= (may_change(found, name) if name in imported.names else set()), name
        assert [name for name, row in before.items() if row["enabled"] != after[name]["enabled"]] == [
            name for name in before if "enabled" in found.rows.get(name, ()) and name in imported.names
        ]
