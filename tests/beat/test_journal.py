"""The journal that Beat writes: what became of its ticks, and who led when, at no statement for a tick."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import PeriodicTask

from schedsync.beat import journal as buffer
from schedsync.beat import journal_writer
from schedsync.beat.journal_writer import journal_keep
from schedsync.beat.outbox import Waiting
from schedsync.core.journal import ALL_ROWS, Event, JournalRecord, Passed, Reign
from schedsync.core.journal_data import packed, rows_of, unpacked
from schedsync.database.clock import database_time
from schedsync.database.journal import records, reigns
from schedsync.models import Beat as BeatRow
from schedsync.models import Claim, JournalSegment, Lease
from schedsync.usecases.full_pause import pause_everything
from tests.beat.ours import Beat, row
from tests.beat.test_early_runs import AHEAD, OFTEN, ran_early
from tests.beat.test_in_hand import dies, refuses
from tests.beat.test_like_stock import TIMINGS, make
from tests.beat.test_promises import MINUTE, Died, forced, ledger, minutely
from tests.beat.test_tables import without
from tests.conftest import NOW

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
SECONDLY = {"interval": {"every": 1, "period": "seconds"}}

__all__ = ["forced", "minutely"]


def renew(beat: Beat) -> None:
    """Let it be time for the regular heartbeat, with which the journal is written."""
    beat.scheduler.heartbeat._next = 0.0
    beat.scheduler._write_heartbeat()


def read(using: str, task: PeriodicTask) -> list[JournalRecord]:
    """Return all records of a schedule."""
    return records(using, task.pk, NOW - 400 * DAY, NOW + 400 * DAY).records


def said(using: str, task: PeriodicTask, *, sent: bool = False) -> list[tuple[str, str, str, int | None, str]]:
    """Return what became of which ticks; without those that were sent, unless they are asked for."""
    # Notes have times of the database's clock, which is not frozen.
    return sorted(
        [
            (record.event.value, f"{record.first:%H:%M:%S}", f"{record.last:%H:%M:%S}", record.count, record.reason)
            for record in read(using, task)
            if sent or record.event is not Event.SENT
        ],
        key=lambda values: values[1:3],
    )


def statements(using: str, act: Callable[[], object]) -> list[str]:
    """Return the statements for the table of the journal."""
    with CaptureQueriesContext(connections[using]) as queries:
        act()
    table = JournalSegment._meta.db_table
    return [query["sql"][:6] for query in queries if table in query["sql"] and "information_schema" not in query["sql"]]


def test_it_notes_each_tick_that_was_sent_and_how_late(using: str, clock: Any, minutely: PeriodicTask) -> None:
    beat = Beat(clock)
    beat.settle()
    clock.shift(MINUTE + timedelta(seconds=2.5))
    beat.settle()
    renew(beat)
    first, second = read(using, minutely)

    assert first == JournalRecord(
        minutely.pk, "x", Event.SENT, NOW, NOW, 1, NOW, str(BeatRow.objects.using(using).get()), 1, 0.0
    )
    assert (second.first, second.late, second.at) == (NOW + MINUTE, 2.5, NOW + MINUTE + timedelta(seconds=2.5))
    assert not second.again


def test_a_renewal_writes_one_insert_and_none_where_nothing_happened(using: str, clock: Any) -> None:
    for number in range(30):
        make(using, f"s{number}", {**SECONDLY, "last_run_at": NOW - SECOND})
    beat = Beat(clock)
    beat.settle()
    renew(beat)

    def act() -> None:
        for _ in range(5):
            clock.shift(SECOND)
            beat.settle()
        renew(beat)

    assert statements(using, act) == ["INSERT"]
    assert statements(using, lambda: renew(beat)) == []
    assert len(read(using, row(using, "s7"))) == 6


def test_an_outage_is_one_record_for_each_schedule(using: str, clock: Any) -> None:
    task = make(using, "x", {**SECONDLY, "last_run_at": NOW - timedelta(minutes=10)})
    beat = Beat(clock)
    beat.settle()
    renew(beat)

    assert said(using, task, sent=True) == [
        ("passed_over", "09:50:01", "09:59:59", 599, "newer"),
        ("sent", "10:00:00", "10:00:00", 1, ""),
    ]


@pytest.mark.parametrize(
    ("policy", "record"),
    [
        ({"missed_runs": "none"}, ("passed_over", "07:01:00", "09:59:00", 179, "missed")),
        ({"starting_deadline": 20}, ("passed_over", "07:01:00", "10:00:00", 180, "deadline")),
        ({"missed_runs": "all", "starting_deadline": 80}, ("passed_over", "07:01:00", "09:59:00", 179, "deadline")),
        ({"missed_runs": "latest"}, ("passed_over", "07:01:00", "09:59:00", 179, "newer")),
    ],
    ids=["none", "deadline", "all with a deadline", "latest"],
)
def test_it_says_why_ticks_are_passed_over(using: str, clock: Any, policy: dict[str, Any], record: object) -> None:
    task = make(using, "x", {**TIMINGS["each minute"], "last_run_at": NOW - timedelta(hours=3)})
    ledger(using, **policy)
    clock.shift(timedelta(seconds=30))
    if policy == {"missed_runs": "none"}:
        clock.shift(timedelta(seconds=40))
    beat = Beat(clock)
    beat.settle()
    renew(beat)
    found = said(using, task)

    if policy == {"missed_runs": "none"}:
        # The last tick is ten seconds old.
        record = ("passed_over", "07:01:00", "10:00:00", 180, "newer")
    assert found == [record]


def test_what_falls_due_while_everything_is_paused_is_one_record(
    using: str, clock: Any, minutely: PeriodicTask
) -> None:
    beat = Beat(clock)
    beat.settle()
    pause_everything(using, "INC-42", timedelta(minutes=10))
    for _ in range(12):
        beat.scheduler._full_pause._next_look = 0.0
        beat.step()
        clock.shift(MINUTE)
    beat.settle()
    renew(beat)

    assert said(using, minutely) == [("paused", "10:01:00", "10:10:00", 10, "")]


def test_a_schedule_that_ended_before_its_tick_was_sent(using: str, clock: Any) -> None:
    task = make(using, "x", {**TIMINGS["each minute"], "last_run_at": NOW - MINUTE, "expires": NOW + 90 * SECOND})
    beat = Beat(clock)
    beat.settle()
    clock.shift(timedelta(minutes=5))
    beat.settle()
    renew(beat)

    assert said(using, task) == [("expired", "10:01:00", "10:01:00", 1, "")]


def test_a_refusal_is_noted_once_for_each_tick_and_the_send_afterwards(
    using: str, clock: Any, minutely: PeriodicTask
) -> None:
    beat = Beat(clock)
    beat.scheduler.fails_at = refuses
    beat.settle()
    beat.tried_again()
    clock.shift(SECOND * 20)
    beat.scheduler.fails_at = None
    beat.tried_again()
    renew(beat)

    assert sorted(said(using, minutely, sent=True)) == [
        ("refused", "10:00:00", "10:00:00", 1, "MessageNacked"),
        ("sent", "10:00:00", "10:00:00", 1, ""),
    ]
    assert {record.late for record in read(using, minutely)} == {20.0, None}


def test_a_message_that_can_never_be_sent_is_given_up(using: str, clock: Any, minutely: PeriodicTask) -> None:
    beat = Beat(clock)
    beat.scheduler.fails_at = lambda _: TypeError("amqp://guest:hunter2@host")
    beat.settle()
    renew(beat)
    ((event, _, _, _, reason),) = said(using, minutely, sent=True)

    assert event == "given_up"
    assert reason == "TypeError: ***"


def test_a_tick_that_is_sent_at_most_once_and_perhaps_was(using: str, clock: Any, minutely: PeriodicTask) -> None:
    ledger(using, delivery="at_most_once")
    beat = Beat(clock)
    beat.scheduler.fails_at = lambda _: OSError("connection reset")
    beat.settle()
    renew(beat)
    found = said(using, minutely, sent=True)

    assert ("unsure", "10:00:00", "10:00:00", 1, "OSError: connection reset") in found
    assert [event for event, *_ in found if event == "sent"] == []


def test_a_broker_that_cannot_be_reached_concerns_all_schedules(using: str, clock: Any, minutely: PeriodicTask) -> None:
    beat = Beat(clock)
    beat.scheduler.fails_at = lambda _: OSError("connection reset")
    beat.step()
    clock.shift(SECOND * 40)
    renew(beat)
    clock.shift(SECOND * 15)
    beat.scheduler.fails_at = None
    beat.settle()
    renew(beat)
    away = [record for record in read(using, minutely) if record.event is Event.UNREACHABLE]

    assert [(record.row_id, record.name, record.first - NOW, record.last - NOW) for record in away] == [
        (ALL_ROWS, "", 0 * SECOND, 40 * SECOND),
        (ALL_ROWS, "", 40 * SECOND, 55 * SECOND),
    ]
    assert away[0].reason == "OSError: connection reset"
    assert [record.late for record in read(using, minutely) if record.event is Event.SENT] == [55.0]


def test_a_tick_that_another_beat_had_claimed_is_sent_again(using: str, clock: Any, minutely: PeriodicTask) -> None:
    one = Beat(clock)
    one.scheduler.fails_at = dies
    with pytest.raises(Died):
        one.settle()
    clock.shift(SECOND * 30)
    Lease.objects.using(using).update(expires_at=NOW - DAY)
    two = Beat(clock)
    two.settle()
    clock.shift(SECOND * 30)
    two.settle()
    renew(two)

    assert [(record.first, record.late, record.again, record.epoch) for record in read(using, minutely)] == [
        (NOW, 30.0, True, 2),
        (NOW + MINUTE, 0.0, False, 2),
    ]


@pytest.mark.parametrize("way", ["disabled", "deleted", "missed", "maybe sent"])
def test_a_claimed_tick_that_is_dropped(using: str, clock: Any, minutely: PeriodicTask, way: str) -> None:
    ledger(using, **{"missed": {"missed_runs": "none"}, "maybe sent": {"delivery": "at_most_once"}}.get(way, {}))
    one = Beat(clock)
    one.scheduler.fails_at = dies
    with pytest.raises(Died):
        one.settle()
    rows = PeriodicTask.objects.using(using)
    if way == "disabled":
        rows.update(enabled=False)
    elif way == "deleted":
        rows.all()._raw_delete(using)  # type: ignore[attr-defined]
    clock.shift(timedelta(hours=1))
    Lease.objects.using(using).update(expires_at=NOW - DAY)
    two = Beat(clock)
    two.settle()
    renew(two)
    reason = Passed.MAYBE_SENT if way in ("missed", "maybe sent") else Passed.GONE

    assert said(using, minutely)[0] == ("passed_over", "10:00:00", "10:00:00", 1, reason.value)


def test_an_edit_between_the_claim_and_the_send(using: str, clock: Any, minutely: PeriodicTask) -> None:
    beat = Beat(clock)
    beat.scheduler.fails_at = refuses
    beat.settle()
    rows = PeriodicTask.objects.using(using)
    rows.update(queue="one")
    beat.step()
    rows.update(queue="two")
    beat.scheduler.fails_at = None
    beat.scheduler.reloader._next_poll = math.inf
    beat.scheduler._dispatch.outbox.hurry(Waiting.REFUSED)
    beat.scheduler.step()
    beat.settle()
    renew(beat)

    assert sorted(event for event, *_ in said(using, minutely, sent=True)) == ["edited", "refused", "sent"]
    assert beat.scheduler.sent[0][1].options["queue"] == "two"


def test_a_row_that_cannot_run_from_when_until_when(using: str, clock: Any, minutely: PeriodicTask) -> None:
    beat = Beat(clock)
    beat.settle()
    rows = PeriodicTask.objects.using(using)
    rows.update(args="{")
    clock.shift(SECOND)
    beat.settle()
    clock.shift(timedelta(hours=1))
    rows.update(args="[]")
    beat.settle()
    renew(beat)
    reason = "its args are no JSON list"

    assert said(using, minutely)[:2] == [
        ("broken", "10:00:01", "10:00:01", None, reason),
        ("broken", "10:00:01", "11:00:01", None, reason),
    ]


def test_a_beat_that_begins_to_lead_notes_which_rows_cannot_run(using: str, clock: Any) -> None:
    task = make(using, "x", {**TIMINGS["each minute"], "args": "{"})
    beat = Beat(clock)
    beat.settle()
    renew(beat)

    assert ("broken", "10:00:00", "10:00:00", None, "its args are no JSON list") in said(using, task)


@pytest.mark.parametrize("is_deleted", [True, False], ids=["deleted", "disabled"])
def test_a_row_that_goes_keeps_its_name(using: str, clock: Any, minutely: PeriodicTask, is_deleted: bool) -> None:
    beat = Beat(clock)
    beat.settle()
    rows = PeriodicTask.objects.using(using)
    pk = minutely.pk
    if is_deleted:
        rows.filter(pk=pk).delete()
    else:
        rows.update(enabled=False)
    clock.shift(SECOND)
    beat.settle()
    renew(beat)
    found = records(using, pk, NOW, NOW + DAY).records

    assert [(record.event, record.name) for record in found] == [(Event.SENT, "x"), (Event.GONE, "x")]


def test_what_runs_once_or_ends_does_not_count_as_gone(using: str, clock: Any) -> None:
    once = make(using, "once", {**TIMINGS["each minute"], "one_off": True, "last_run_at": NOW - MINUTE})
    beat = Beat(clock)
    for _ in range(3):
        beat.settle()
        clock.shift(MINUTE)
    renew(beat)

    assert said(using, once, sent=True) == [("sent", "10:00:00", "10:00:00", 1, "")]


def test_a_row_that_is_enabled_again_counts_from_then(using: str, clock: Any, minutely: PeriodicTask) -> None:
    rows = PeriodicTask.objects.using(using)
    rows.update(total_run_count=9, date_changed=NOW - DAY)
    beat = Beat(clock)
    beat.settle()
    rows.update(enabled=False)
    clock.shift(SECOND)
    beat.settle()
    clock.shift(timedelta(hours=2))
    rows.update(enabled=True)
    beat.settle()
    renew(beat)

    assert [values for values in said(using, minutely) if values[0] == "passed_over"] == [
        ("passed_over", "10:01:00", "12:00:01", None, "enabled_again")
    ]


def test_ticks_that_a_clock_ahead_of_its_time_has_sent(using: str) -> None:
    tick = datetime.now(timezone.utc) + AHEAD
    task = ran_early(using, OFTEN, tick)
    beat = Beat(None)
    beat.step()
    renew(beat)
    found = records(using, task.pk, tick, tick).records
    beat.scheduler.leadership.watch.keeper.drop()  # type: ignore[union-attr]

    assert [(record.event, record.last == tick) for record in found] == [(Event.EARLY, True)]


def led(using: str) -> list[Reign]:
    return reigns(using, datetime(2000, 1, 1, tzinfo=timezone.utc), database_time(using) + DAY)


def test_the_reigns_of_beats_that_end_in_good_order(using: str, clock: Any, minutely: PeriodicTask) -> None:
    began = database_time(using)
    one = Beat(clock)
    one.settle()
    assert [(reign.epoch, reign.until) for reign in led(using)] == [(1, None)]
    one.scheduler.close()
    two = Beat(clock)
    two.settle()
    name = str(BeatRow.objects.using(using).get())
    first, second = led(using)

    assert (first.epoch, first.beat, first.until_known, first.reason) == (1, name, True, "it gave the lease back")
    assert first.until is not None
    # The journal keeps milliseconds.
    assert began - SECOND <= first.since <= first.until <= second.since
    assert (second.epoch, second.beat, second.until, second.until_known) == (2, name, None, True)
    assert reigns(using, second.since + DAY, second.since + 2 * DAY) == [second]
    assert reigns(using, first.since - DAY, first.since - DAY / 2) == []


def test_the_last_sign_of_life_of_a_beat_that_was_killed(using: str, clock: Any, minutely: PeriodicTask) -> None:
    one = Beat(clock)
    one.settle()
    renew(one)
    last = BeatRow.objects.using(using).get().seen_at
    assert one.scheduler.leadership.watch is not None
    one.scheduler.leadership.watch.keeper.drop()
    Lease.objects.using(using).update(expires_at=NOW - DAY)
    two = Beat(clock)
    two.settle()
    BeatRow.objects.using(using).filter(epoch=1).delete()
    JournalSegment.objects.using(using).filter(turn="").delete()
    first, second = led(using)

    assert (first.until_known, first.reason, second.until) == (False, "", None)
    assert first.until is not None
    assert abs(first.until - last) < SECOND
    assert second.since > first.until


def test_a_reign_that_ends_with_the_database_is_written_when_it_is_back(
    using: str, clock: Any, minutely: PeriodicTask
) -> None:
    beat = Beat(clock)
    beat.settle()
    beat.scheduler._fail(Exception("server closed the connection"))
    beat.scheduler.leadership._next = 0.0
    beat.settle()
    first, second = led(using)

    assert (first.reason, first.until_known) == ("the database failed", True)
    assert (second.epoch, second.until) == (2, None)


def test_without_an_election_all_beats_lead(using: str, clock: Any, minutely: PeriodicTask, forced: None) -> None:
    one, two = Beat(clock), Beat(clock)
    for _ in range(4):
        one.settle()
        two.settle()
        clock.shift(MINUTE)
    for beat in (one, two):
        renew(beat)

    assert [(reign.epoch, reign.until) for reign in led(using)] == [(0, None), (0, None)]
    assert [record.first for record in read(using, minutely)] == [NOW + minute * MINUTE for minute in range(4)]


def test_a_standby_writes_nothing(using: str, clock: Any, minutely: PeriodicTask) -> None:
    leader, standby = Beat(clock), Beat(clock)
    leader.settle()
    for _ in range(3):
        standby.step()
        renew(standby)

    assert not JournalSegment.objects.using(using).filter(beat=standby.scheduler.holder).exists()


def test_a_failure_to_write_stops_nothing_and_is_said_once(
    using: str, clock: Any, minutely: PeriodicTask, caplog: pytest.LogCaptureFixture
) -> None:
    beat = Beat(clock)
    beat.settle()
    with without(using, JournalSegment):
        for _ in range(3):
            clock.shift(MINUTE)
            beat.settle()
            beat.scheduler.heartbeat.journal._not_before = 0.0
            renew(beat)
        assert beat.scheduler.leadership.leads
        renew(beat)
    beat.scheduler.heartbeat.journal._not_before = 0.0
    renew(beat)

    assert len(beat.scheduler.sent) == 4
    assert caplog.text.count("the journal cannot be written") == 1
    assert caplog.text.count("the journal is written again") == 1
    assert [record.first for record in read(using, minutely)] == [NOW + minute * MINUTE for minute in range(4)]
    assert [reign.epoch for reign in led(using)] == [1]


def test_beat_runs_where_the_table_is_not_there_yet(using: str, clock: Any, minutely: PeriodicTask) -> None:
    with without(using, JournalSegment):
        beat = Beat(clock)
        beat.settle()
        renew(beat)
        assert read(using, minutely) == led(using) == []
        assert len(beat.scheduler.sent) == 1
    beat.scheduler._tables._next_look = 0.0
    renew(beat)

    assert [record.first for record in read(using, minutely)] == [NOW]


def test_the_oldest_sent_ticks_make_room_and_are_counted(
    using: str, clock: Any, minutely: PeriodicTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buffer, "MOST_SENT", 3)
    beat = Beat(clock)
    for _ in range(10):
        beat.settle()
        clock.shift(MINUTE)
    renew(beat)
    journal = records(using, minutely.pk, NOW, NOW + DAY)

    assert [record.first for record in journal.records] == [NOW + minute * MINUTE for minute in (7, 8, 9)]
    assert journal.dropped == 7
    clock.shift(MINUTE)
    beat.settle()
    renew(beat)
    assert records(using, minutely.pk, NOW, NOW + DAY).dropped == 7


def test_what_became_of_many_rows_at_once_takes_little_space(using: str, clock: Any) -> None:
    journal = buffer.Journal()
    journal.begin(1)
    for row_id in range(5_000):
        journal.note(row_id, Event.PASSED_OVER, NOW, NOW + MINUTE, count=2, reason=Passed.MISSED.value)
    journal.note(1, Event.REFUSED, NOW, reason="no")
    (segment,) = journal.segments()
    document, _ = unpacked(segment.data)

    # All of them were noted within a second or two.
    assert len(document["notes"]) <= 5
    assert sorted(row for note in document["notes"] if note[2] == "passed_over" for row in rows_of(note)) == [
        *range(5_000)
    ]


def test_other_notes_make_room_too(
    using: str, clock: Any, minutely: PeriodicTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buffer, "MOST_NOTES", 2)
    beat = Beat(clock)
    for _ in range(5):
        beat.settle()
        beat.scheduler.roster.journal.note(minutely.pk, Event.EXPIRED, datetime.now(timezone.utc))
        clock.shift(MINUTE)
    renew(beat)

    assert [values[:2] for values in said(using, minutely)] == [("expired", "10:03:00"), ("expired", "10:04:00")]


def test_a_beat_that_is_killed_loses_one_renewal_at_most(using: str, clock: Any, minutely: PeriodicTask) -> None:
    beat = Beat(clock)
    for _ in range(3):
        beat.settle()
        renew(beat)
        clock.shift(MINUTE)
    beat.settle()
    del beat

    assert [record.first for record in read(using, minutely)] == [NOW + minute * MINUTE for minute in range(3)]
    # The claim knows the last tick in any case.
    assert Claim.objects.using(using).get().tick == NOW + 3 * MINUTE


def test_a_good_end_writes_what_is_left(using: str, clock: Any, minutely: PeriodicTask) -> None:
    beat = Beat(clock)
    beat.settle()
    beat.scheduler.close()

    assert [record.first for record in read(using, minutely)] == [NOW]


def test_an_error_of_our_own_loses_a_renewal_and_stops_nothing(
    using: str, clock: Any, minutely: PeriodicTask, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat = Beat(clock)
    beat.settle()
    with monkeypatch.context() as patch:
        patch.setattr(buffer, "packed", lambda *_: 1 / 0)
        renew(beat)
    clock.shift(MINUTE)
    beat.settle()
    renew(beat)

    assert "the journal since the last renewal of the lease is lost" in caplog.text
    assert [record.first for record in read(using, minutely)] == [NOW + MINUTE]


def segment(beat: Beat, age: timedelta, now: datetime, data: bytes = b"") -> JournalSegment:
    made = data or packed({"dropped": 0, "notes": []})
    return JournalSegment(
        beat=beat.scheduler.holder, name="h:1", epoch=1, first=NOW, last=NOW, written_at=now - age, data=made
    )


def test_a_hundred_thousand_old_segments_are_deleted_while_beat_writes(
    using: str, clock: Any, minutely: PeriodicTask
) -> None:
    beat = Beat(clock)
    now = database_time(using)
    old = [segment(beat, 31 * DAY, now) for _ in range(100_000)]
    JournalSegment.objects.using(using).bulk_create(old, batch_size=5000)
    JournalSegment.objects.using(using).bulk_create([segment(beat, 29 * DAY, now) for _ in range(5)])
    rows = JournalSegment.objects.using(using)
    begun, minutes = rows.count(), 0
    beat.settle()
    while rows.filter(written_at__lt=now - 30 * DAY).exists():
        minutes += 1
        assert minutes <= 110, "it takes too many renewals"
        clock.shift(MINUTE)
        beat.settle()
        before = rows.count()
        renew(beat)
        assert before - rows.count() < 2 * journal_writer._PRUNED

    assert begun == 100_005
    assert len(beat.scheduler.sent) == minutes + 1
    assert len(read(using, minutely)) == minutes + 1
    assert rows.filter(written_at__lt=now - 28 * DAY).count() == 5


def test_segments_of_a_clock_far_ahead_are_deleted_too(using: str, clock: Any, minutely: PeriodicTask) -> None:
    beat = Beat(clock)
    now = database_time(using)
    JournalSegment.objects.using(using).bulk_create([segment(beat, -300 * DAY, now), segment(beat, DAY, now)])
    beat.settle()
    renew(beat)

    assert not JournalSegment.objects.using(using).filter(written_at__gt=now + DAY).exists()
    assert JournalSegment.objects.using(using).filter(written_at__lt=now - DAY / 2).exists()


def test_old_segments_are_looked_for_seldom(using: str, clock: Any, minutely: PeriodicTask) -> None:
    beat = Beat(clock)
    beat.settle()
    renew(beat)
    clock.shift(MINUTE)
    beat.settle()

    assert statements(using, lambda: renew(beat)) == ["INSERT"]


@pytest.mark.parametrize(
    ("value", "keep"),
    [(None, 30 * DAY), (7, 7 * DAY), (0.5, DAY / 2), (timedelta(hours=3), timedelta(hours=3)), (0, timedelta(0))],
)
def test_the_setting_is_a_timedelta_or_days(monkeypatch: pytest.MonkeyPatch, value: Any, keep: timedelta) -> None:
    monkeypatch.setattr("django.conf.settings.SCHEDSYNC_JOURNAL_KEEP", value, raising=False)

    assert journal_keep() == keep


@pytest.mark.parametrize("value", [-1, True, "30", math.inf, math.nan, timedelta(days=-1)])
def test_a_beat_with_another_setting_does_not_start(monkeypatch: pytest.MonkeyPatch, value: Any) -> None:
    monkeypatch.setattr("django.conf.settings.SCHEDSYNC_JOURNAL_KEEP", value, raising=False)

    with pytest.raises(ImproperlyConfigured, match="SCHEDSYNC_JOURNAL_KEEP is a timedelta or a number of days, not"):
        journal_keep()


def test_with_0_there_is_no_journal(
    using: str, clock: Any, minutely: PeriodicTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django.conf.settings.SCHEDSYNC_JOURNAL_KEEP", 0, raising=False)
    beat = Beat(clock)
    beat.settle()
    renew(beat)

    assert not JournalSegment.objects.using(using).exists()
