"""Leases in the database and in Redis, the settings around them, and what a Beat does when it may not send."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connections
from django_celery_beat.models import PeriodicTask

from schedsync.beat import Scheduler
from schedsync.beat.elections import DatabaseElection, Election, RedisElection, election_of
from schedsync.beat.heartbeat import Heartbeat
from schedsync.beat.leadership import Leadership
from schedsync.beat.lease_times import LeaseTimes
from schedsync.beat.listen import listeners, wait
from schedsync.beat.signals import uninterrupted
from schedsync.core.timing import Interval
from schedsync.database import notify as notice
from schedsync.database import pause_ends, pauses, selected
from schedsync.errors import Failed, Locked
from schedsync.models import Beat as BeatRow
from schedsync.models import Lease, Pause, SyncRun
from tests.beat.ours import Beat, app, locked, row
from tests.beat.test_like_stock import TIMINGS, make
from tests.conftest import NOW, Project

#: Short enough to end in a test, and long enough for a busy machine to do something within it.
SHORT = LeaseTimes(lease=3.0, renew=0.5, retry=0.2)


@pytest.fixture(params=["database", "redis"])
def elections(request: pytest.FixtureRequest, using: str) -> Iterator[tuple[Election, Election]]:
    """Two Beats that ask for one lease."""
    if request.param == "database":
        yield tuple(DatabaseElection(using, uuid.uuid4(), SHORT) for _ in range(2))  # type: ignore[misc]
        return
    url = settings.BROKERS.get("redis")
    if url is None:
        pytest.skip("no Redis on this machine")
    made = tuple(RedisElection(using, uuid.uuid4(), SHORT, url) for _ in range(2))
    yield made  # type: ignore[misc]
    for election in made:
        election._client.close()


def test_one_holds_the_lease_until_it_ends(elections: tuple[Election, Election]) -> None:
    one, two = elections
    first = one.acquire()
    assert first is not None
    assert two.acquire() is None
    assert one.renew(first)
    second = acquired(two)

    assert second > first
    assert not one.renew(first)
    assert one.acquire() is None
    two.release(second)
    third = one.acquire()
    assert third is not None
    assert third > second
    assert one.renew(third)
    one.release(third)


def acquired(election: Election) -> int:
    """Ask for the lease until it is free."""
    until = time.monotonic() + 60
    while (epoch := election.acquire()) is None:
        assert time.monotonic() < until, "the lease does not end"
        time.sleep(0.1)
    return epoch


def test_an_answer_that_was_lost_gives_a_higher_epoch(elections: tuple[Election, Election]) -> None:
    one, two = elections
    first = one.acquire()
    second = one.acquire()

    assert first is not None
    assert second is not None
    assert second > first
    assert two.acquire() is None
    one.release(second)


def test_an_acquisition_whose_answer_was_lost_does_not_lock_everybody_out(
    elections: tuple[Election, Election], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = elections
    if not isinstance(one, RedisElection):
        pytest.skip("the row says who holds it")
    lock = one._lock
    take = lock.do_acquire

    def lose(token: Any) -> None:
        take(token)
        raise OSError("the answer was lost")

    with monkeypatch.context() as patch:
        patch.setattr(lock, "do_acquire", lose)
        assert one.acquire() is None
    assert two.acquire() is None
    epoch = one.acquire()
    assert epoch is not None
    one.release(epoch)
    caplog.clear()
    held = two.acquire()
    assert held is not None
    # A standby that asks in vain is no trouble.
    assert [one.acquire() for _ in range(3)] == [None] * 3
    assert caplog.text == ""
    two.release(held)


@pytest.mark.one_database
def test_a_redis_that_is_away_means_not_leader(using: str, caplog: pytest.LogCaptureFixture) -> None:
    election = RedisElection(using, uuid.uuid4(), SHORT, "redis://127.0.0.1:9/0")
    leadership = Leadership(election, SHORT)

    assert not leadership.keep()
    assert "the lease in Redis" in caplog.text
    leadership.resign()
    election._client.close()


@pytest.mark.parametrize("times", [(5, 5, 1), (15, 5, 5), (15, 5, 0), (3, 1, 0.9)])
def test_times_that_cannot_hold_are_refused(times: tuple[float, float, float]) -> None:
    with pytest.raises(ImproperlyConfigured, match="must be longer"):
        LeaseTimes(*times)


@pytest.mark.one_database
@pytest.mark.parametrize("place", ["zookeeper", 7])
def test_an_unknown_place_is_refused(using: str, place: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"not {place!r}"):
        election_of(place, using, uuid.uuid4(), SHORT)


def test_a_lease_ends_in_memory_too(using: str, monkeypatch: pytest.MonkeyPatch) -> None:
    leadership = Leadership(DatabaseElection(using, uuid.uuid4(), SHORT), SHORT)
    assert leadership.keep()
    time.sleep(SHORT.lease)

    assert not leadership.leads
    leadership.hurry()
    assert leadership.keep()
    Lease.objects.using(using).update(holder=uuid.uuid4())
    time.sleep(SHORT.renew)
    assert not leadership.keep()
    leadership.resign()


def test_what_is_said_wakes_a_waiting_beat(using: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url = settings.BROKERS.get("redis")
    monkeypatch.setattr("django.conf.settings.SCHEDSYNC_LEADER", url or "database", raising=False)
    sources = listeners(using, url)
    if url:
        # Redis answers the subscription itself.
        assert wait(sources, 60)
    while wait(sources, 0.2):
        pass
    for tell in ([lambda: notice.notify(using)] if using == "postgresql" else []) + ([notice.publish] if url else []):
        tell()
        assert wait(sources, 60)
    assert not wait(sources, 0.05)
    for source in sources:
        source.close()


def test_a_pause_ends_to_the_second(project: Project, clock: Any) -> None:
    using = project.using
    project.schedules("  x: {task: t, crontab: '* * * * *'}\n  y: {task: t, crontab: '* * * * *', enabled: false, "
                      "disabled_reason: r}\n")  # fmt: skip
    assert project.apply().code == 0
    for name in ("x", "y"):
        done = project.command("pause", name, "--for", "90s", "--reason", "r", "--settle", "0", "--database", using)
        assert done.code == 0, done.err
    beat = Beat(clock)
    sent = beat.run(timedelta(minutes=3))

    assert sorted({f"{at:%H:%M:%S} {name}" for at, name in sent}) == ["10:02:00 x", "10:03:00 x"][: len(sent)]
    assert (row(using, "x").enabled, row(using, "y").enabled) == (True, False)
    assert pauses.pauses_over(using) == []


def test_a_pause_of_a_row_that_is_gone_ends_too(project: Project, clock: Any) -> None:
    using = project.using
    project.schedules("  x: {task: t, crontab: '* * * * *'}\n")
    assert project.apply().code == 0
    done = project.command("pause", "x", "--for", "90s", "--reason", "r", "--settle", "0", "--database", using)
    assert done.code == 0, done.err
    PeriodicTask.objects.using(using).all()._raw_delete(using)
    beat = Beat(clock)
    beat.run(timedelta(minutes=2))

    assert not Pause.objects.using(using).exists()
    assert beat.step() > 0


def test_a_pause_waits_for_an_apply_without_a_loop(
    project: Project, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    using = project.using
    project.schedules("  x: {task: t, crontab: '* * * * *'}\n")
    assert project.apply().code == 0
    project.command("pause", "x", "--for", "1s", "--reason", "r", "--settle", "0", "--database", using)
    beat = Beat(clock)
    beat.settle()
    clock.shift(2)

    def locked(*_: Any) -> None:
        raise Locked

    monkeypatch.setattr(pause_ends, "take", locked)
    assert beat.step() > 0
    assert Pause.objects.using(using).exists()


def with_pauses_over(project: Project, clock: Any, names: str) -> Beat:
    """Return a Beat that stands just after the end of a pause of each schedule, a letter each."""
    project.schedules("".join(f"  {name}: {{task: t, crontab: '* * * * *'}}\n" for name in names))
    assert project.apply().code == 0
    for name in names:
        project.command("pause", name, "--for", "1s", "--reason", "r", "--settle", "0", "--database", project.using)
    beat = Beat(clock)
    beat.settle()
    clock.shift(2)
    return beat


def test_a_pause_that_cannot_be_ended_holds_up_no_other(
    project: Project, clock: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    using = project.using
    beat = with_pauses_over(project, clock, "xyz")
    original = selected.guard

    def refuse(spec: Any, found: Any, at: Any) -> Any:
        if found.name == "x":
            raise Failed("the row is not to be written")
        return original(spec, found, at)

    monkeypatch.setattr(selected, "guard", refuse)
    beat.step_until(lambda: list(Pause.objects.using(using).values_list("name", flat=True)) == ["x"])

    assert "`x` stays paused beyond its time: the row is not to be written" in caplog.text
    # It is not tried in a loop.
    assert max(beat.step() for _ in range(3)) > 0


def test_the_pauses_of_many_schedules_end_in_one_transaction(
    project: Project, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    using = project.using
    beat = with_pauses_over(project, clock, "xyz")
    PeriodicTask.objects.using(using).filter(name="y").delete()
    beat.step_until(lambda: not Pause.objects.using(using).exists())
    enabled = PeriodicTask.objects.using(using).filter(enabled=True).values_list("name", flat=True)

    assert sorted(enabled) == ["x", "z"]
    assert [record.schedules for record in caplog.records if record.name == "schedsync.beat.pauses"] == [  # type: ignore[attr-defined]
        ["x", "y", "z"]
    ]
    assert [json.loads(run.summary) for run in SyncRun.objects.using(using).filter(verb="resume")] == [{"resume": 3}]


def test_a_signal_waits_for_the_batch() -> None:
    told: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: told.append(number))
    try:
        with uninterrupted():
            thread = threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGTERM))
            thread.start()
            thread.join()
            assert told == []
        until = time.monotonic() + 60
        while not told and time.monotonic() < until:
            time.sleep(0.01)
        assert told == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_lease_that_took_longer_to_get_than_it_holds_is_led_with_all_the_same(
    using: str, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a stopped leader holds SQLite's file for a while."""
    for name, seconds in {"LEASE": 3, "RENEW": 0.2, "RETRY": 0.1}.items():
        monkeypatch.setattr(f"django.conf.settings.SCHEDSYNC_{name}", seconds, raising=False)
    make(using, "x", {**TIMINGS["each minute"], "last_run_at": NOW - timedelta(minutes=1)})
    acquire = DatabaseElection.acquire

    def slowly(election: DatabaseElection, dead: int | None = None) -> int | None:
        epoch = acquire(election)
        time.sleep(3)
        return epoch

    with monkeypatch.context() as patch:
        patch.setattr(DatabaseElection, "acquire", slowly)
        beat = Beat(clock)
        assert not beat.scheduler.leadership.leads
    beat.step_until(lambda: bool(beat.scheduler.sent))

    assert [f"{message.tick:%H:%M}" for _, message in beat.scheduler.sent] == ["10:00"]


def test_another_place_of_the_lease_is_noticed(using: str, clock: Any, caplog: pytest.LogCaptureFixture) -> None:
    one = Beat(clock)
    one.settle()
    BeatRow.objects.using(using).update(election="redis", id=uuid.uuid4())
    one.scheduler._rivals._next_comparison = 0.0
    one.step()

    assert "another Beat has its lease elsewhere (redis)" in caplog.text


def test_a_pause_ends_where_another_schedule_s_row_is_locked(project: Project, clock: Any) -> None:
    using = project.using
    if using == "default":
        pytest.skip("SQLite locks the whole file")
    beat = with_pauses_over(project, clock, "xy")
    with locked(using, row(using, "x").pk):
        beat.step()
        beat.scheduler._pauses._not_before = 0.0
        beat.step()
        assert (row(using, "x").enabled, row(using, "y").enabled) == (False, True)
    beat.scheduler._pauses._not_before = 0.0
    beat.settle()

    assert row(using, "x").enabled


def gone(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
    """Wrap every statement of a database that is away."""
    raise OperationalError("gone")


def test_a_database_that_fails_takes_the_lead_away(
    using: str, clock: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make(using, "x", {**TIMINGS["each minute"], "last_run_at": NOW - timedelta(minutes=1)})
    beat = Beat(clock)
    beat.settle()
    clock.shift(60)
    with connections[using].execute_wrapper(gone):
        assert beat.step() > 0
    assert beat.scheduler.leadership.epoch is None
    beat.scheduler.leadership.hurry()
    beat.settle()

    assert [f"{message.tick:%H:%M}" for _, message in beat.scheduler.sent] == ["10:00", "10:01"]
    assert "lease lost: the database failed" in caplog.text


def test_an_outage_of_the_database_is_said_once_and_once_when_it_is_over(
    using: str, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    beat = Beat(clock)
    beat.settle()
    caplog.clear()
    caplog.set_level("WARNING")
    for _ in range(2):
        with connections[using].execute_wrapper(gone):
            assert [beat.step() > 0 for _ in range(3)] == [True] * 3
        for _ in range(2):
            beat.scheduler.leadership.hurry()
            beat.settle()

    said = ["lease lost", "the database failed", "the database is back"] * 2
    found = [text for record in caplog.records if "leading" not in (text := record.getMessage())]
    assert [text[: len(start)] for text, start in zip(found, said, strict=True)] == said


def test_an_outage_at_the_start_is_said_once(using: str, clock: Any, caplog: pytest.LogCaptureFixture) -> None:
    with connections[using].execute_wrapper(gone):
        beat = Beat(clock)
        beat.step()
    beat.settle()

    assert caplog.text.count("the database failed") == 1
    assert caplog.text.count("the database is back") == 1


@pytest.mark.parametrize("leader", ["database", None])
def test_who_leads_again_says_since_when(
    using: str, clock: Any, monkeypatch: pytest.MonkeyPatch, leader: str | None
) -> None:
    monkeypatch.setattr("django.conf.settings.SCHEDSYNC_LEADER", leader, raising=False)
    beat = Beat(clock)
    beat.settle()
    BeatRow.objects.using(using).update(leads_since=NOW - timedelta(days=1))
    with connections[using].execute_wrapper(gone):
        beat.step()
    beat.scheduler.leadership.hurry()
    beat.settle()

    found = BeatRow.objects.using(using).get()
    assert found.leads
    assert found.leads_since is not None
    assert found.leads_since > NOW - timedelta(hours=1)


@contextlib.contextmanager
def settings_with(entries: dict[str, Any]) -> Iterator[None]:
    app.conf.beat_schedule = entries
    try:
        yield
    finally:
        app.conf.beat_schedule = {}


def test_the_entries_of_the_settings_are_written_at_the_start(using: str, clock: Any) -> None:
    entries = {"from settings": {"task": "t", "schedule": 60.0}, "broken": {"task": "t", "schedule": object()}}
    with settings_with(entries):
        beat = Beat(clock)
        beat.settle()

    assert list(PeriodicTask.objects.using(using).values_list("name", flat=True)) == ["from settings"]
    assert [(name, entry.task) for name, entry in beat.scheduler.schedule.items()] == [("from settings", "t")]
    assert len(beat.scheduler.schedule) == 1


def test_only_the_leader_writes_the_entries_of_the_settings(using: str, clock: Any) -> None:
    """A standby may be of another release: it writes its own entries when it takes over."""

    def seconds() -> int:
        return int(row(using, "from settings").interval.every)

    with settings_with({"from settings": {"task": "t", "schedule": 60.0}}):
        leader = Beat(clock)
        leader.settle()
    with settings_with({"from settings": {"task": "t", "schedule": 90.0}}):
        standby = Beat(clock)
        standby.settle()
        assert seconds() == 60
        leader.scheduler.close()
        standby.scheduler.leadership.hurry()
        standby.settle()
        assert seconds() == 90
        assert [timing.timing for timing in standby.scheduler.roster.schedules.values()] == [Interval(90 * 10**6)]


def test_what_the_leader_before_ran_is_no_trace_of_another_scheduler(using: str, clock: Any, caplog: Any) -> None:
    """A Beat that takes over writes the entries of the settings, and so reads rows whose last runs it knows late."""
    entries = {"from settings": {"task": "t", "schedule": 60.0, "options": {"queue": "a"}}}
    with settings_with(entries):
        leader, standby = Beat(clock), Beat(clock)
        leader.settle()
        standby.settle()
        for _ in range(2):
            clock.shift(60)
            leader.settle()
        leader.scheduler.close()
    assert row(using, "from settings").total_run_count > 0
    clock.shift(5)
    with settings_with({"from settings": {**entries["from settings"], "options": {"queue": "b"}}}):
        standby.scheduler.leadership.hurry()
        standby.settle()

    assert standby.scheduler.leadership.leads
    assert standby.scheduler.roster.schedules[row(using, "from settings").pk].options[0] == "b"
    assert "another scheduler" not in caplog.text
    assert standby.scheduler._rivals.trouble == ""


def test_who_leads_again_after_a_failure_keeps_what_was_edited_meanwhile(using: str, clock: Any) -> None:
    entries = {"from settings": {"task": "t", "schedule": 60.0}}
    with settings_with(entries):
        beat = Beat(clock)
        beat.settle()
        PeriodicTask.objects.using(using).update(queue="q", task="edited")
        with connections[using].execute_wrapper(gone):
            beat.step()
        beat.scheduler.leadership.hurry()
        beat.settle()
        assert row(using, "from settings").task == "edited"

        other = Beat(clock)
        beat.scheduler.leadership.resign()
        other.scheduler.leadership.hurry()
        other.settle()
        other.scheduler.close()
        PeriodicTask.objects.using(using).update(task="edited")
        beat.scheduler.leadership.hurry()
        beat.settle()
        assert row(using, "from settings").task == "t"


def test_an_entry_of_the_settings_whose_row_is_locked_holds_up_no_start(
    using: str, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    if using == "default":
        pytest.skip("SQLite locks the whole file")
    with settings_with({"from settings": {"task": "t", "schedule": 60.0}}):
        first = Beat(clock)
        first.settle()
        first.scheduler.close()
        make(using, "x", {**TIMINGS["each minute"], "last_run_at": NOW - timedelta(minutes=1)})
        with locked(using, row(using, "from settings").pk):
            beat = Beat(clock)
            beat.settle()

    assert [message.name for _, message in beat.scheduler.sent] == ["x"]
    assert "`from settings` of the settings is not written, somebody has locked its row" in caplog.text


def test_a_heartbeat_whose_first_answer_was_lost_is_written_on(
    using: str, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(using, "x", {**TIMINGS["each minute"], "last_run_at": NOW - timedelta(minutes=1)})
    beat = Beat(clock)
    write = Heartbeat.write

    def lose(heartbeat: Heartbeat, **columns: Any) -> None:
        write(heartbeat, **columns)
        heartbeat._written.clear()
        raise OperationalError("the answer was lost")

    with monkeypatch.context() as patch:
        patch.setattr(Heartbeat, "write", lose)
        beat.step()
    beat.scheduler.leadership.hurry()
    beat.settle()

    assert [message.name for _, message in beat.scheduler.sent] == ["x"]
    assert BeatRow.objects.using(using).get().leads


class Told:
    """Celery's handler, run by a function that SQLite calls: SQLite loses the SystemExit."""

    def __init__(self, beat: Beat) -> None:
        self._beat = beat
        self._connection = sqlite3.connect(":memory:")
        self._connection.create_function("told", 0, self._handler)

    def _handler(self) -> None:
        self._beat.scheduler.close()
        raise SystemExit

    def lose(self, *_: Any, **__: Any) -> Any:
        try:
            self._connection.execute("SELECT told()")
        except sqlite3.OperationalError as error:
            raise OperationalError(str(error)) from error


@pytest.mark.one_database
@pytest.mark.parametrize("place", ["schedsync.beat.reloader.Reloader.poll", "schedsync.beat.scheduler.wait"])
def test_beat_ends_though_the_exception_of_celery_s_handler_is_lost(
    using: str, clock: Any, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    beat = Beat(clock)
    beat.settle()
    monkeypatch.setattr(place, Told(beat).lose)
    monkeypatch.setattr(Scheduler, "_delay", lambda *_: 0.01)

    with pytest.raises(SystemExit):
        beat.scheduler.tick()
    beat.scheduler.close()

    assert Lease.objects.using(using).get().holder is None


def test_celery_s_own_handler_may_close_in_the_middle(using: str, clock: Any) -> None:
    make(using, "x", {**TIMINGS["each minute"], "last_run_at": NOW - timedelta(minutes=1)})
    beat = Beat(clock)
    beat.settle()
    beat.scheduler._is_ticking = True
    beat.scheduler.close()
    assert Lease.objects.using(using).get().holder == beat.scheduler.holder

    beat.scheduler._is_ticking = False
    beat.scheduler.close()
    beat.scheduler.close()

    assert Lease.objects.using(using).get().holder is None
    assert not BeatRow.objects.using(using).exists()
