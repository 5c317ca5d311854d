"""A roster that was kept in step by reloads holds what a new one reads, after any edits by any writer."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule

from schedsync.beat.loaded_schedule import LoadedSchedule
from schedsync.beat.roster import Roster
from schedsync.models import ManagedSchedule
from tests.conftest import NOW

#: More ranges than a scan asks for one by one, and more changes than a reload reads in full at once.
ROWS, STRIDE = 300, 23
_OWN = {"tick", "noted_at", "changed"}
TEXTS = ("[]", "[1]", '["é"]', "{}", "{", "", '[{"a": [null]}]', "[NaN]", "[" * 2000)


def held(roster: Roster) -> Any:
    """Return all that a roster holds of the rows."""
    columns = [field.name for field in fields(LoadedSchedule) if field.name not in _OWN]
    schedules = {
        row_id: (*(getattr(schedule, name) for name in columns), schedule.last_run or schedule.changed, schedule.tick)
        for row_id, schedule in roster.schedules.items()
    }
    return schedules, {row_id: (broken.name, broken.reason) for row_id, broken in roster.broken.items()}


def waking(roster: Roster) -> list[tuple[Any, int]]:
    return sorted((at, row_id) for row_id, schedule in roster.schedules.items() if (at := schedule.wakes_at))


class Writer:
    """Edits rows at random, as the admin, an apply, another Beat or somebody with SQL does."""

    def __init__(self, using: str, seed: int) -> None:
        self.using, self.chance, self.made = using, random.Random(seed), 0
        self.rows: Any = PeriodicTask.objects.using(using)
        self.ledger: Any = ManagedSchedule.objects.using(using)
        self.timings = [
            *({"interval": IntervalSchedule.objects.using(using).create(every=n, period="hours")} for n in (1, 2, 0)),
            *({"crontab": CrontabSchedule.objects.using(using).create(minute=text)} for text in ("0", "*/5", "*/")),
            {"solar": SolarSchedule.objects.using(using).create(event="sunrise", latitude=52.5, longitude=13.4)},
            {"clocked": ClockedSchedule.objects.using(using).create(clocked_time=NOW + timedelta(days=1))},
        ]
        self.add([number * STRIDE + 1 for number in range(ROWS)])

    def add(self, ids: list[int]) -> None:
        self.rows.bulk_create([self.row(row_id) for row_id in ids])

    def row(self, row_id: int) -> PeriodicTask:
        self.made += 1
        ran = self.chance.random() < 0.5
        return PeriodicTask(
            id=row_id, name=f"n{self.made}", task=self.chance.choice("tu"), args=self.text("[]"),
            last_run_at=NOW - timedelta(hours=1) if ran else None, total_run_count=int(ran),
            enabled=self.chance.random() < 0.9, one_off=self.chance.random() < 0.1, **self.chance.choice(self.timings),
        )  # fmt: skip

    def text(self, usual: str) -> str:
        return self.chance.choice(TEXTS) if self.chance.random() < 0.1 else usual

    def some(self) -> list[int]:
        ids = list(self.rows.order_by("pk").values_list("pk", flat=True))
        return self.chance.sample(ids, min(len(ids), self.chance.choice((1, 2, 5, 60, 130, 250))))

    def update(self) -> None:
        values = self.chance.choice((
            {"args": self.chance.choice(TEXTS)}, {"queue": self.chance.choice(("", "q", None))}, {"priority": 3},
            {"kwargs": '{"a": 1}'}, {"headers": self.chance.choice(("{}", "[]"))}, {"expire_seconds": 9},
            {"expires": NOW + timedelta(days=9)}, {"start_time": NOW}, {"description": str(self.made)}, {"task": "T"},
        ))  # fmt: skip
        self.rows.filter(pk__in=self.some()).update(**values)

    def stop(self) -> None:
        self.rows.filter(pk__in=self.some()).update(enabled=False, last_run_at=None)

    def start(self) -> None:
        self.rows.filter(pk__in=self.some()).update(enabled=True)

    def run(self) -> None:
        self.rows.filter(pk__in=self.some()).update(last_run_at=NOW - timedelta(minutes=1), total_run_count=5)

    def lose_run(self) -> None:
        self.rows.filter(pk__in=self.some()).update(last_run_at=None)

    def rename(self) -> None:
        self.made += 1
        self.rows.filter(pk=self.some()[0]).update(name=f"N{self.made}")

    def save(self) -> None:
        self.rows.filter(pk__in=self.some()[:3], enabled=True).update(one_off=False)
        for row in self.rows.filter(pk__in=self.some()[:3], interval__every__gt=0, kwargs="{}", headers="{}"):
            row.queue = "saved"
            row.save()

    def replace(self) -> None:
        ids = self.some()[:40]
        self.rows.filter(pk__in=ids)._raw_delete(self.using)
        self.add(ids if self.chance.random() < 0.5 else [row_id + 1 for row_id in ids if row_id % STRIDE == 1])

    def retime(self) -> None:
        none: dict[str, Any] = dict.fromkeys(("interval", "crontab", "solar", "clocked"))
        self.rows.filter(pk__in=self.some()).update(**none | self.chance.choice(self.timings))

    def edit_timing(self) -> None:
        chosen = self.timings[self.chance.randrange(2)]["interval"]
        IntervalSchedule.objects.using(self.using).filter(pk=chosen.pk).update(every=self.chance.choice((0, 3, 4)))

    def apply(self) -> None:
        ids = self.some()
        self.ledger.filter(row_id__in=ids)._raw_delete(self.using)
        if self.chance.random() < 0.8:
            delivery = self.chance.choice((None, "at_most_once"))
            self.ledger.bulk_create(
                ManagedSchedule(
                    set="s", name=f"m{row_id}", row_id=row_id, applied="{}", applied_at=NOW,
                    delivery=delivery or "at_least_once", commit=self.chance.choice(("a", "b")),
                ) for row_id in ids
            )  # fmt: skip

    def edit(self) -> None:
        acts: list[Callable[[], None]] = [
            self.update, self.update, self.stop, self.start, self.run, self.lose_run, self.rename, self.save,
            self.replace, self.retime, self.edit_timing, self.apply,
        ]  # fmt: skip
        for act in self.chance.choices(acts, k=self.chance.choice((0, 1, 1, 3))):
            act()


@pytest.mark.parametrize("seed", range(3))
def test_after_any_edits_it_holds_what_a_new_one_reads(
    using: str, clock: Any, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if seed % 2:
        # Ask for ranges in several statements, however many differ.
        monkeypatch.setattr("schedsync.beat.scan._FEW", 3)
        monkeypatch.setattr("schedsync.beat.scan._SHARE", 1)
    writer, kept = Writer(using, seed), Roster(using)
    kept.reload()
    for _ in range(25):
        writer.edit()
        kept.reload()
        assert all(schedule.noted_at == schedule.wakes_at for schedule in kept.schedules.values())
        new = Roster(using)
        new.reload()
        kept.refresh()

        assert held(kept) == held(new)
    assert len(new) > 0
    assert len(new.broken) > 0
    end = NOW + timedelta(days=1000)
    assert kept.agenda.pop(end, 10**6) == new.agenda.pop(end, 10**6)


def odd_ids(using: str) -> list[int]:
    first = [-129, -128, -64, -63, -1, 1, 63, 64]
    # MariaDB would give no more ids after the last one.
    ends = {"postgresql": [0, -(2**31), 2**31 - 1], "sqlite": [0, -(2**63), 2**63 - 1], "mysql": [-(2**31)]}
    return first + ends[connections[using].vendor]


def test_ids_of_any_range_are_found(using: str, clock: Any) -> None:
    every = IntervalSchedule.objects.using(using).create(every=1, period="hours")
    rows, ids = PeriodicTask.objects.using(using), odd_ids(using)
    made = [rows.create(name=f"n{row_id}", task="t", interval=every).pk for row_id in ids]
    for before, row_id in zip(made, ids, strict=True):
        # An update, because an insert would move the next id.
        rows.filter(pk=before).update(id=row_id)
    roster = Roster(using)
    roster.reload()
    assert roster.schedules.keys() == set(ids)
    for row_id in ids:
        rows.filter(pk=row_id).update(queue="q")
        assert roster.reload().changed == {row_id}
        assert roster.schedules[row_id].options[0] == "q"
        rows.filter(pk=row_id)._raw_delete(using)
        assert roster.reload().gone == {row_id}
