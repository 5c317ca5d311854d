"""The scan finds every change and nothing else, however many rows one statement writes, and wherever it was stopped."""

from __future__ import annotations

import random
from typing import Any

import pytest
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from schedsync.beat.roster import Roster
from schedsync.beat.scan import RANGE, Scan
from tests.conftest import NOW

ROWS = 60 * RANGE


@pytest.fixture
def many(using: str) -> Any:
    """Rows of more ranges than are asked for one by one."""
    crontab = CrontabSchedule.objects.using(using).create(minute="0")
    rows = [PeriodicTask(name=f"s{number}", task="t", crontab=crontab, last_run_at=NOW) for number in range(ROWS)]
    PeriodicTask.objects.using(using).bulk_create(rows, batch_size=500)
    return PeriodicTask.objects.using(using).order_by("pk")


def ids(rows: Any) -> set[int]:
    return set(rows.values_list("pk", flat=True))


def test_random_changes_are_found_to_the_row(using: str, many: Any) -> None:
    chance, scan = random.Random(1), Scan(using)
    first = scan.look()
    assert (first.new, first.changed, first.gone) == (ids(many), set(), set())
    scan.accept(first, [])
    there = first.new
    for share in (0.0, 0.0005, 0.01, 0.6):
        chosen = {row_id for row_id in there if chance.random() < share}
        off = {row_id for row_id in there - chosen if chance.random() < share / 3}
        # One statement writes all of them, and gives them one version; and it does so twice.
        for text in (f"a{share}", f"b{share}"):
            many.filter(pk__in=chosen).update(args=f'["{text}"]')
            many.filter(pk__in=off).update(enabled=False)
            look = scan.look()
            assert (look.new, look.changed, look.gone) == (set(), chosen, off)
            scan.accept(look, [])
            there, off = there - off, set()
        many.filter(enabled=False).update(enabled=True)
        look = scan.look()
        assert look.new == ids(many) - there
        scan.accept(look, [])
        there = ids(many)


def test_a_look_that_was_not_accepted_is_found_again(using: str, many: Any) -> None:
    scan = Scan(using)
    scan.accept(scan.look(), [])
    changed = many.first()
    many.filter(pk=changed.pk).update(queue="q")
    assert scan.look().changed == {changed.pk}
    again = scan.look()
    assert again.changed == {changed.pk}
    scan.accept(again, [changed.pk])
    assert scan.look().new == {changed.pk}


def test_nothing_is_kept_of_rows_that_are_gone(using: str, many: Any) -> None:
    scan = Scan(using)
    scan.accept(scan.look(), [])
    assert len(scan._versions) >= ROWS // RANGE
    many.filter(pk__gt=many.first().pk).delete()
    scan.accept(scan.look(), [])

    assert len(scan._versions) == 1


def test_a_row_that_vanishes_between_scan_and_reading_is_read_when_it_is_back(
    using: str, many: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    roster = Roster(using)
    roster.reload()
    changed = many.first().pk
    many.filter(pk=changed).update(queue="q")
    look = Scan.look

    def look_and_disable(scan: Scan) -> Any:
        found = look(scan)
        many.filter(pk=changed).update(enabled=False)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(Scan, "look", look_and_disable)
        roster.reload()
    many.filter(pk=changed).update(enabled=True)
    roster.reload()

    assert roster.schedules[changed].options[0] == "q"
    assert len(roster) == ROWS
