"""The table of alarms: an alarm is claimed by one process, sent again after a time, and over once."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections

from schedsync.core.alarm import Alarm, Kind
from schedsync.database.alarms import claim, claim_end, forget_old, note_sent, noted_alarms
from schedsync.database.clock import DatabaseNow
from schedsync.models import SentAlarm
from schedsync.planning.alarms import TAKEN_FOR

DAY = timedelta(hours=24)
ALARM, NOTICE = Alarm(Kind.OVERDUE, "nightly"), Alarm(Kind.PAUSE_ENDING, "weekly")
EVERYTHING = frozenset(Kind)


def age(using: str, **columns: timedelta) -> None:
    """Let columns of all rows be of so long ago."""
    SentAlarm.objects.using(using).update(**{name: DatabaseNow() - span for name, span in columns.items()})


def test_an_alarm_is_claimed_once(using: str) -> None:
    assert claim(using, [ALARM, ALARM], DAY) == {ALARM.key}
    assert claim(using, [ALARM], DAY) == set()
    note_sent(using, [ALARM.key])
    assert claim(using, [ALARM], DAY) == set()

    (noted,) = noted_alarms(using, EVERYTHING)
    assert (noted.key, noted.kind, noted.subject) == (ALARM.key, Kind.OVERDUE, "nightly")
    assert noted.claimed_at is not None
    assert noted.sent_at is not None


def test_of_two_processes_at_once_one_gets_each_alarm(using: str) -> None:
    if connections[using].vendor == "sqlite":
        pytest.skip("one connection: its memory is the database")
    alarms = [Alarm(Kind.FAILING, f"s{number}") for number in range(300)]
    got: list[set[str]] = []
    barrier = threading.Barrier(4)

    def race(mine: list[Alarm]) -> None:
        barrier.wait()
        try:
            got.append(claim(using, mine, DAY))
        finally:
            connections[using].close()

    threads = [threading.Thread(target=race, args=(order,)) for order in (alarms, alarms[::-1]) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(got) == 4
    assert sum(map(len, got)) == 300
    assert set().union(*got) == {alarm.key for alarm in alarms}


def test_an_alarm_that_was_not_sent_is_free_again_after_a_while(using: str) -> None:
    claim(using, [ALARM], DAY)
    age(using, claimed_at=TAKEN_FOR - timedelta(minutes=1))
    assert claim(using, [ALARM], DAY) == set()
    age(using, claimed_at=TAKEN_FOR + timedelta(minutes=1))
    assert claim(using, [ALARM], DAY) == {ALARM.key}


@pytest.mark.one_database
def test_an_alarm_that_lasts_is_sent_again_and_a_notice_is_not(using: str) -> None:
    claim(using, [ALARM, NOTICE], DAY)
    note_sent(using, [ALARM.key, NOTICE.key])
    age(using, sent_at=timedelta(hours=25), claimed_at=timedelta(hours=25), began=timedelta(hours=25))

    assert claim(using, [ALARM, NOTICE], DAY) == {ALARM.key}
    # It is being sent now.
    assert claim(using, [ALARM, NOTICE], DAY) == set()


def test_an_alarm_is_over_once_and_may_begin_anew(using: str) -> None:
    claim(using, [ALARM], DAY)
    age(using, began=timedelta(hours=5))
    began = SentAlarm.objects.using(using).get().began

    assert claim_end(using, [ALARM.key]) == {ALARM.key}
    assert claim_end(using, [ALARM.key]) == set()
    assert noted_alarms(using, EVERYTHING) == []
    assert claim(using, [ALARM], DAY) == {ALARM.key}
    assert SentAlarm.objects.using(using).get().began > began


def test_alarms_are_read_by_kind_and_scope(using: str) -> None:
    alarms = [Alarm(Kind.DRIFT, "a", scope="shop"), Alarm(Kind.DRIFT, "a", scope="news"), ALARM]
    claim(using, alarms, DAY)

    assert [noted.key for noted in noted_alarms(using, {Kind.DRIFT}, "shop")] == [alarms[0].key]
    assert noted_alarms(using, {Kind.DRIFT}) == []


def test_names_that_a_database_takes_for_one_or_does_not_take_are_alarms_of_their_own(using: str) -> None:
    names = ["nightly", "Nightly", "nightly ", "nïghtly", "x\0", "\ud800", "😀" * 300]
    alarms = [Alarm(Kind.OVERDUE, name) for name in names]

    assert len(claim(using, alarms, DAY)) == len(names)
    assert len(noted_alarms(using, EVERYTHING)) == len(names)


@pytest.mark.one_database
def test_old_rows_are_deleted(using: str) -> None:
    claim(using, [ALARM, NOTICE], DAY)
    claim_end(using, [NOTICE.key])
    forget_old(using)
    assert SentAlarm.objects.using(using).count() == 2
    age(using, claimed_at=timedelta(days=31))
    forget_old(using)
    assert SentAlarm.objects.using(using).count() == 0


@pytest.mark.one_database
def test_the_statements_do_not_grow_with_the_alarms(using: str, django_assert_max_num_queries: Any) -> None:
    alarms = [Alarm(Kind.OVERDUE, f"s{number}") for number in range(900)]
    with django_assert_max_num_queries(20, connection=connections[using]):
        claim(using, alarms, DAY)
        claim_end(using, [alarm.key for alarm in alarms])
