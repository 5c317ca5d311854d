"""The ledger is compared with the rows in one pass, which finds each entry that may differ."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from schedsync.database.management import compared
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


Edit = Callable[[Any], object]
EDITS: dict[str, Edit] = {
    "renamed": lambda row: row.update(name=row.get().name + "x"),
    "disabled": lambda row: row.update(enabled=False),
    "saved": lambda row: row.update(date_changed=NOW + timedelta(days=3651)),
    "without its timing": lambda row: row.update(interval=None),
    "deleted": lambda row: row._raw_delete(row.db),
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("edited", [[], ["1 1"], ["1 1", "2 0"], ["1 0", "1 2"], ["1 0", "1 1", "1 2", "2 2"]])
def test_each_entry_that_may_differ_from_its_row_is_found(
    using: str, names: list[str], edit: str, edited: list[str]
) -> None:
    for name in edited:
        EDITS[edit](PeriodicTask.objects.using(using).filter(name=name))
    ledger = compared(using)
    entries = ManagedSchedule.objects.using(using)

    assert sorted(entries.filter(pk__in=ledger.suspects).values_list("name", flat=True)) == edited
    assert (ledger.entries, ledger.astray) == (len(names), bool(edited) and edit in ("renamed", "deleted"))
    # A timing of which no row is left needs no sample: its entries are suspects.
    assert len(ledger.samples) == (1 if edit == "deleted" and len(edited) > 2 else 2)


def test_an_entry_that_was_applied_disabled_differs_from_an_enabled_row(using: str, names: list[str]) -> None:
    entries = ManagedSchedule.objects.using(using)
    entries.filter(name="2 1").update(applied=APPLIED.replace("true", "false"))

    assert compared(using).suspects == {entries.get(name="2 1").pk}
