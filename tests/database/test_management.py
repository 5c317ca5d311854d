"""The ledger is compared with the rows in one pass, which finds each entry that may differ."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from schedsync.database.ledger_sums import are_useful
from schedsync.database.management import Compared, compared, compared_by_sums
from schedsync.database.status_rows import read_timings_in_use
from schedsync.models import ManagedSchedule
from tests.conftest import NOW

APPLIED = '{"args":[],"enabled":true,"exchange":null}'


@pytest.fixture
def names(using: str) -> list[str]:
    """Two timings with three managed rows each, as they were applied, and a row that nobody manages."""
    made: list[str] = []
    for hours in (1, 2):
        every = IntervalSchedule.objects.using(using).create(every=hours, period="hours")
        for number in range(3):
            name = f"{hours} {number}"
            row = PeriodicTask.objects.using(using).create(name=name, task="t", interval=every)
            ManagedSchedule.objects.using(using).create(
                name=name, set="shop", row_id=row.pk, applied=APPLIED, applied_at=NOW + timedelta(days=3650),
                timing_kind="interval", timing_id=every.pk,
            )  # fmt: skip
            made.append(name)
    PeriodicTask.objects.using(using).create(name="free", task="t", interval=every)
    return made


def by_sums(using: str) -> Compared:
    """Compare by sums; by a join where there are none: on other databases, and if a row has no timing."""
    rows = read_timings_in_use(using).sums
    return (
        compared(using) if rows is None else compared_by_sums(using, ManagedSchedule.objects.using(using).count(), rows)
    )


Compare = Callable[[str], Compared]
Edit = Callable[[Any], object]
EDITS: dict[str, Edit] = {
    "renamed": lambda row: row.update(name=row.get().name + "x"),
    "disabled": lambda row: row.update(enabled=False),
    "saved": lambda row: row.update(date_changed=NOW + timedelta(days=3651)),
    "without its timing": lambda row: row.update(interval=None),
    "deleted": lambda row: row._raw_delete(row.db),
}


@pytest.mark.parametrize("compare", [compared, by_sums])
@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("edited", [[], ["1 1"], ["1 1", "2 0"], ["1 0", "1 2"], ["1 0", "1 1", "1 2", "2 2"]])
def test_each_entry_that_may_differ_from_its_row_is_found(
    using: str, names: list[str], edit: str, edited: list[str], compare: Compare
) -> None:
    for name in edited:
        EDITS[edit](PeriodicTask.objects.using(using).filter(name=name))
    ledger = compare(using)
    entries = ManagedSchedule.objects.using(using)

    assert sorted(entries.filter(pk__in=ledger.suspects).values_list("name", flat=True)) == edited
    assert (ledger.entries, ledger.astray) == (len(names), bool(edited) and edit in ("renamed", "deleted"))
    # A timing of which no row is left needs no sample: its entries are suspects.
    assert len(ledger.samples) == (1 if edit == "deleted" and len(edited) > 2 else 2)


@pytest.mark.parametrize("compare", [compared, by_sums])
def test_an_entry_that_was_applied_disabled_differs_from_an_enabled_row(
    using: str, names: list[str], compare: Compare
) -> None:
    entries = ManagedSchedule.objects.using(using)
    entries.filter(name="2 1").update(applied=APPLIED.replace("true", "false"))

    assert compare(using).suspects == {entries.get(name="2 1").pk}


def test_rows_that_changed_their_names_with_each_other_differ(using: str, names: list[str]) -> None:
    rows, entries = (model.objects.using(using) for model in (PeriodicTask, ManagedSchedule))
    for old, new in (("1 0", "x"), ("1 1", "1 0"), ("x", "1 1")):
        rows.filter(name=old).update(name=new)
    found = by_sums(using)

    assert found.suspects == set(entries.filter(name__in=["1 0", "1 1"]).values_list("pk", flat=True))
    assert found.astray


def test_rows_saved_before_their_own_apply_and_after_the_first_one_do_not_differ(using: str, names: list[str]) -> None:
    ManagedSchedule.objects.using(using).filter(name="1 0").update(applied_at=NOW)
    PeriodicTask.objects.using(using).filter(name="1 0").update(date_changed=NOW)

    assert by_sums(using).suspects == set()


def test_an_entry_without_a_row_or_a_timing_is_found(using: str, names: list[str]) -> None:
    entries = ManagedSchedule.objects.using(using)
    entries.filter(name="1 1").update(row_id=None, timing_kind="", timing_id=None)

    assert by_sums(using).suspects == compared(using).suspects == {entries.get(name="1 1").pk}


@pytest.mark.parametrize("at", ["-infinity", "infinity"])
def test_a_time_that_python_cannot_hold_stops_no_comparison(using: str, names: list[str], at: str) -> None:
    if connections[using].vendor == "postgresql":
        with connections[using].cursor() as cursor:
            cursor.execute("UPDATE schedsync_managedschedule SET applied_at = %s WHERE name = '2 2'", [at])

    assert by_sums(using).suspects == compared(using).suspects


def test_sums_are_read_on_postgresql_and_used_where_most_rows_are_managed(using: str, names: list[str]) -> None:
    rows = read_timings_in_use(using).sums

    assert (rows is not None) == (connections[using].vendor == "postgresql")
    assert (are_useful(6, rows), are_useful(7, rows)) == (False, rows is not None)
