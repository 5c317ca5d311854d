"""The alarms that Beat sends: what it sees without asking the database, and what its thread does with it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connections

from schedsync.alarms.settings import NotifySetting, SecretUrl
from schedsync.beat import alarm_clerk
from schedsync.beat.alarm_clerk import BeatSight, Clerk
from schedsync.core.alarm import Alarm, AlarmRules, Kind
from schedsync.database.clock import DatabaseNow
from schedsync.models import Beat as BeatRow
from schedsync.models import FullPause, Pause, SentAlarm
from schedsync.planning.alarms import Calm
from tests.alarms.http_service import CANARY, Service, service
from tests.beat.ours import Beat
from tests.beat.test_like_stock import TIMINGS, make
from tests.beat.test_tables import without
from tests.conftest import NOW

MINUTE = timedelta(minutes=1)
OVERDUE = Alarm(Kind.OVERDUE, "nightly", "due since 02:30")


def seen(beat: Beat) -> list[tuple[str, str, str]]:
    return [(alarm.kind.value, alarm.subject, alarm.text) for alarm in beat.scheduler._alarms.sight().alarms]


def due(using: str, *names: str) -> None:
    for name in names:
        make(using, name, {**TIMINGS["each minute"], "last_run_at": NOW - MINUTE})


@pytest.mark.one_database
def test_a_tick_that_waits_for_the_broker_is_overdue_at_the_second_look(using: str, clock: Any) -> None:
    due(using, "x", "y")
    beat = Beat(clock)
    beat.scheduler.fails_at = lambda message: OSError("the broker is gone") if message.name == "x" else None
    beat.step()
    assert seen(beat) == []
    clock.shift(61)
    assert seen(beat) == []
    assert sorted((kind, name) for kind, name, _ in seen(beat)) == [("overdue", "x"), ("overdue", "y")]
    assert seen(beat)[0][2].startswith("due since 2026-11-23 10:00:00 UTC")

    beat.scheduler.fails_at = None
    beat.tried_again()
    beat.settle()
    assert seen(beat) == []


@pytest.mark.one_database
def test_a_look_asks_the_database_nothing(using: str, clock: Any, django_assert_num_queries: Any) -> None:
    due(using, *(f"s{number}" for number in range(50)))
    beat = Beat(clock)
    beat.settle()
    clock.shift(300)
    with django_assert_num_queries(0, connection=connections[using]):
        beat.scheduler._alarms.sight()
        assert len(beat.scheduler._alarms.sight().alarms) == 50


@pytest.mark.one_database
def test_nothing_is_overdue_while_everything_is_paused(using: str, clock: Any) -> None:
    due(using, "x")
    since, until = NOW - MINUTE, NOW + timedelta(hours=1)
    FullPause.objects.using(using).create(pk=1, who="jo", reason="r", since=since, until=until)
    beat = Beat(clock)
    beat.step()
    clock.shift(300)
    beat.step()

    assert [seen(beat), seen(beat)] == [[], []]


@pytest.mark.one_database
def test_a_schedule_that_fails_is_seen_until_it_is_sent(using: str, clock: Any) -> None:
    due(using, "x", "y")
    make(using, "broken", {**TIMINGS["each minute"], "args": "[", "last_run_at": NOW})
    beat = Beat(clock)
    beat.scheduler.fails_at = lambda message: TypeError("password=canary") if message.name == "x" else None
    beat.settle()
    assert seen(beat) == [
        ("failing", "broken", "it cannot run: its args are no JSON list"),
        ("failing", "x", "its message cannot be sent: TypeError: ***"),
    ]

    beat.scheduler.fails_at = None
    beat.run(MINUTE + timedelta(seconds=1))
    assert [name for _, name, _ in seen(beat)] == ["broken"]


@pytest.mark.one_database
def test_a_wrong_clock_is_an_alarm_of_each_beat_and_a_change_of_the_leader_of_the_new_one(
    using: str, clock: Any
) -> None:
    beat = Beat(clock)
    beat.settle()
    beat.scheduler._checks.clock.ahead = 9.0
    (alarm,) = beat.scheduler._alarms.sight().alarms
    assert (alarm.kind, alarm.scope, alarm.text) == (
        Kind.CLOCK,
        alarm.subject,
        "this Beat's clock is 9.0 s ahead of the database's",
    )

    beat.scheduler._checks.clock.ahead = 0.0
    beat.scheduler.leadership.epoch = 7
    assert [(kind, name.rpartition(":")[0]) for kind, name, _ in seen(beat)] == [("leader_changed", alarm.subject)]


def setting(*urls: str, **values: Any) -> NotifySetting:
    rules = AlarmRules(kinds=frozenset(Kind))
    return NotifySetting(tuple(SecretUrl(url, "json://…") for url in urls), rules, **values)


def sight(*alarms: Alarm, leads: bool = True, pause_ends: Any = None, lease: float = 0.0) -> BeatSight:
    return BeatSight("host", leads, alarms, pause_ends, lease)


def clerk_of(using: str, served: Service, **values: Any) -> Clerk:
    made = Clerk(using, setting(served.url, **values), "production")
    for desk in (made._desk, made._clock_desk):
        desk.calm = Calm(timedelta(0))
    return made


@pytest.fixture
def inbox(caplog: pytest.LogCaptureFixture) -> Iterator[Service]:
    caplog.set_level(logging.DEBUG)
    with service() as served:
        yield served
    assert CANARY not in caplog.text


@pytest.mark.one_database
def test_of_two_beats_one_sends_an_alarm_and_one_its_end(using: str, inbox: Service) -> None:
    first, second = clerk_of(using, inbox), clerk_of(using, inbox)
    for _ in range(2):
        first.work(sight(OVERDUE))
        second.work(sight(OVERDUE))
    for _ in range(2):
        second.work(sight())
        first.work(sight())

    assert inbox.titles == [
        "schedsync production: nightly is overdue",
        "schedsync production: nightly is no longer overdue",
    ]
    assert CANARY not in repr(list(SentAlarm.objects.using(using).values()))


@pytest.mark.one_database
def test_a_beat_to_which_nothing_happens_asks_nothing(
    using: str, inbox: Service, django_assert_num_queries: Any
) -> None:
    clerk = clerk_of(using, inbox)
    clerk.work(sight())
    with django_assert_num_queries(0, connection=connections[using]):
        clerk.work(sight())


@pytest.mark.one_database
def test_a_new_leader_ends_the_alarms_of_the_one_before(using: str, inbox: Service) -> None:
    before, after = clerk_of(using, inbox), clerk_of(using, inbox)
    after.work(sight(leads=False, lease=60))
    before.work(sight(OVERDUE))
    after.work(sight())

    assert [title.rpartition(": ")[2] for title in inbox.titles] == [
        "nightly is overdue",
        "nightly is no longer overdue",
    ]


@pytest.mark.one_database
def test_a_standby_says_that_nobody_leads_and_the_leader_that_it_does(using: str, inbox: Service) -> None:
    standby, leader = clerk_of(using, inbox), clerk_of(using, inbox)
    standby.work(sight(leads=False, lease=60))
    assert inbox.titles == []
    standby.work(sight(leads=False))
    leader.work(sight())

    assert [title.partition(": ")[2] for title in inbox.titles] == [
        "nobody leads: no task is sent",
        "a Beat leads again",
    ]


@pytest.mark.one_database
def test_a_standby_that_sees_a_leader_says_nothing(using: str, inbox: Service) -> None:
    BeatRow.objects.using(using).create(
        host="h", pid=1, election="database", started_at=DatabaseNow(), seen_at=DatabaseNow(), leads=True
    )
    standby = clerk_of(using, inbox)
    standby.work(sight(leads=False))
    standby.work(sight(leads=False))

    assert inbox.titles == []


@pytest.mark.one_database
def test_the_end_of_a_long_pause_is_announced_once(using: str, inbox: Service, clock: Any) -> None:
    pauses = Pause.objects.using(using)
    end = NOW + timedelta(minutes=30)
    for name, since, until in (
        ("long", NOW - timedelta(hours=3), end),
        ("short", NOW - timedelta(minutes=30), end),
        ("later", NOW - timedelta(hours=3), NOW + timedelta(hours=2)),
        ("endless", NOW - timedelta(hours=3), None),
    ):
        pauses.create(name=name, reason="<b>", who="jo", since=since, until=until)
    clerk = clerk_of(using, inbox)
    clerk.work(sight(pause_ends=end))
    clerk.work(sight(pause_ends=end))
    pauses.all().delete()
    clerk.work(sight())

    assert inbox.titles == ["schedsync production: the pause of long ends soon"]
    assert inbox.got[0]["message"] == ("- long: at 2026-11-23 10:30 UTC; paused by jo: ‹b›\nNext: schedsync why long")


@pytest.mark.one_database
def test_more_alarms_than_the_limit_of_an_hour_wait(
    using: str, inbox: Service, caplog: pytest.LogCaptureFixture
) -> None:
    clerk = clerk_of(using, inbox, most_per_hour=1)
    clerk.work(sight(OVERDUE))
    clerk.work(sight(OVERDUE, Alarm(Kind.FAILING, "x")))
    clerk.work(sight(OVERDUE, Alarm(Kind.FAILING, "x")))
    assert (len(inbox.got), caplog.text.count("`most_per_hour` of SCHEDSYNC_NOTIFY is reached")) == (1, 1)

    clerk._sent.clear()
    clerk.work(sight(OVERDUE, Alarm(Kind.FAILING, "x")))
    assert inbox.titles[1] == "schedsync production: x is failing"


@pytest.mark.one_database
def test_a_service_that_fails_is_tried_again_then_given_up_and_later_another_beat_tries(
    using: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alarm_clerk, "_WAITS", (0.0,))
    with service(500) as broken, service() as good:
        clerk = clerk_of(using, broken)
        clerk.work(sight(OVERDUE))
        clerk.work(None)
        assert len(broken.got) == 2
        assert caplog.messages == ["an alarm did not reach json://…: it answered 500"]
        assert caplog.records[0].__dict__["service"] == "json://…"
        assert SentAlarm.objects.using(using).get().sent_at is None

        SentAlarm.objects.using(using).update(claimed_at=DatabaseNow() - timedelta(minutes=16))
        clerk_of(using, good).work(sight(OVERDUE))
        assert len(good.got) == 1
        assert SentAlarm.objects.using(using).get().sent_at is not None


@pytest.mark.one_database
def test_an_error_of_the_database_or_of_the_code_ends_no_beat(
    using: str, inbox: Service, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error in (DatabaseError(CANARY), KeyError(CANARY)):

        def fail(*_words: Any, error: Exception = error) -> None:
            raise error

        clerk = clerk_of(using, inbox)
        monkeypatch.setattr(clerk._desk, "look", fail)
        clerk.work(sight(OVERDUE))

    assert [(record.levelname, record.getMessage()) for record in caplog.records if "alarms" in record.name] == []
    assert [line for line in caplog.messages if line.startswith("alarms ")] == [
        "alarms wait for the database: DatabaseError",
        "alarms cannot be sent: KeyError",
    ]


@pytest.mark.one_database
def test_before_the_migration_nothing_is_sent(using: str, inbox: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarm_clerk, "has_table", lambda _using, _model: False)
    clerk_of(using, inbox).work(sight(OVERDUE))

    assert inbox.got == []


@pytest.mark.one_database("postgresql")
def test_a_service_that_hangs_delays_no_step_and_no_end_of_beat(
    using: str, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alarm_clerk, "SECONDS", 600.0)
    with service("hang") as hangs:
        monkeypatch.setattr("django.conf.settings.SCHEDSYNC_NOTIFY", [f"{hangs.url}?rto=600"], raising=False)
        make(using, "broken", {**TIMINGS["each minute"], "args": "[", "last_run_at": NOW})
        due(using, "x")
        beat = Beat(clock)
        beat.settle()
        beat.scheduler._show_life()
        beat.step_until(lambda: bool(hangs.got))
        assert [name for _, name in beat.run(3 * MINUTE)][-1] == "x"
        began = time.monotonic()
        beat.scheduler._alarms.close()

        assert time.monotonic() - began < 60
        assert hangs.got[0]["title"].endswith("broken is failing")


def test_without_the_table_of_alarms_beat_works(using: str, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with service() as served:
        monkeypatch.setattr("django.conf.settings.SCHEDSYNC_NOTIFY", [served.url], raising=False)
        due(using, "x")
        with without(using, SentAlarm):
            beat = Beat(clock)
            beat.settle()

        assert [message.name for _, message in beat.scheduler.sent] == ["x"]
