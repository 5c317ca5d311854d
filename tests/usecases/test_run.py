"""``run``: one now as Beat would send it, or ticks of the past under Beat's own ids."""

from __future__ import annotations

import json
import uuid
import zlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from queue import Empty
from typing import Any

import pytest
from celery import Celery, _state, states
from django.conf import settings
from django_celery_beat.models import PeriodicTask

from schedsync.core.journal import Event
from schedsync.core.journal_data import micros, packed
from schedsync.core.task_id import task_id
from schedsync.core.timing import instant_text
from schedsync.database.open_runs import note_ended, note_started
from schedsync.models import Claim, FullPause, ManagedSchedule, Pause, SyncRun
from tests.beat.test_like_stock import TIMINGS, make
from tests.conftest import NOW, Done, Project

HOUR = timedelta(hours=1)
PAST = ("--from", "2026-11-23T07:00Z", "--to", "2026-11-23T08:00Z")


class App:
    """The project's Celery app, and what arrives at its broker."""

    def __init__(self, broker: str, backend: str | None) -> None:
        self.queue = f"schedsync-{uuid.uuid4()}"
        self.celery: Any = Celery("shop", broker=broker, backend=backend, set_as_current=False)
        self.celery.conf.update(timezone="UTC", enable_utc=True, task_default_queue=self.queue, result_expires=None)
        self.celery.conf.broker_connection_timeout = 1

        @self.celery.task(name="t", shared=False)
        def t(*_: Any, **__: Any) -> None: ...

        self.celery.finalize()

    def received(self) -> list[Any]:
        found = []
        with self.celery.connection_for_read() as connection:
            simple = connection.SimpleQueue(self.queue)
            while True:
                try:
                    message = simple.get_nowait()
                except Empty:
                    return found
                message.ack()
                found.append(message)

    def ticks(self) -> list[str]:
        return [message.headers["schedsync_tick"] for message in self.received()]


@pytest.fixture
def app(request: pytest.FixtureRequest) -> Iterator[App]:
    """The current app of this process: by default on a broker in its memory, without results."""
    values = {"broker": "memory://", "backend": None} | getattr(request, "param", {})
    made, before = App(**values), _state._tls.current_app  # type: ignore[attr-defined]
    made.celery.set_current()
    yield made
    _state._tls.current_app = before  # type: ignore[attr-defined]


def run(project: Project, *words: str) -> Done:
    return project.command("run", *words, "--database", project.using)


def audit(using: str) -> list[Any]:
    return [json.loads(zlib.decompress(bytes(each.changes)))[0] for each in SyncRun.objects.using(using).order_by("at")]


def quarters(using: str, name: str = "x", **columns: Any) -> PeriodicTask:
    return make(using, name, {**TIMINGS["quarters"], "last_run_at": NOW - HOUR / 4, **columns})


def expected(*minutes: int, hour: int = 7) -> list[str]:
    return [instant_text(NOW.replace(hour=hour, minute=minute)) for minute in minutes]


def test_one_is_sent_now_as_beat_would(project: Project, app: App, clock: Any) -> None:
    row = quarters(
        project.using, args="[1]", kwargs='{"tenant": "a", "token": "hunter2"}', headers='{"trace": "1"}',
        expire_seconds=60, priority=5,
    )  # fmt: skip
    known = {"set": "shop", "commit": "abc123", "applied": "{}", "applied_at": NOW}
    ManagedSchedule.objects.using(project.using).create(name="x", row_id=row.pk, **known)
    done = run(project, "x")
    [message] = app.received()
    [record] = SyncRun.objects.using(project.using).all()

    assert (done.code, done.out) == (0, f"sent x as task {message.headers['id']}\n")
    assert (message.headers["task"], message.payload[:2]) == ("t", [[1], {"tenant": "a", "token": "hunter2"}])
    assert message.headers["expires"] == (NOW + timedelta(minutes=1)).isoformat()
    assert message.properties["priority"] == 5
    assert message.headers["id"] != task_id("x", NOW)
    ours = {name: value for name, value in message.headers.items() if name.startswith(("schedsync", "periodic", "tr"))}
    assert ours == {
        "schedsync_schedule": "x", "schedsync_tick": "2026-11-23T10:00:00Z", "schedsync_set": "shop",
        "schedsync_commit": "abc123", "schedsync_run_by": record.who, "periodic_task_name": "x", "trace": "1",
    }  # fmt: skip
    assert (record.verb, record.set, json.loads(record.summary)) == ("run", "shop", {"run": 1})
    assert audit(project.using) == [
        {"kind": "run", "name": "x", "task": "t", "task_id": message.headers["id"], "args": [1],
         "kwargs": {"tenant": "a", "token": "***"}, "replaced": False}
    ]  # fmt: skip


def test_beat_is_not_disturbed(project: Project, app: App, clock: Any) -> None:
    quarters(project.using, one_off=True)
    before = list(PeriodicTask.objects.using(project.using).values())

    assert run(project, "x").code == 0
    assert run(project, "x", *PAST).code == 0
    assert list(PeriodicTask.objects.using(project.using).values()) == before
    assert not Claim.objects.using(project.using).exists()


def test_arguments_replace_those_of_the_row(project: Project, app: App, clock: Any) -> None:
    quarters(project.using, args="[1]", kwargs='{"a": 1}')
    quarters(project.using, "y")
    assert run(project, "x", "--kwargs", '{"b": 2}').code == 0
    assert run(project, "x", "--args", "[]").code == 0

    assert [message.payload[:2] for message in app.received()] == [[[1], {"b": 2}], [[], {"a": 1}]]
    for words in (("x", "y", "--args", "[]"), ("x", "--args", "{}"), ("x", "--args", "[NaN]"), ("x", "--kwargs", "[")):
        assert run(project, *words).code == 64
    assert app.received() == []


@pytest.mark.one_database
def test_one_whose_last_run_has_not_ended_is_sent_and_says_so(project: Project, app: App) -> None:
    row = quarters(project.using)
    ManagedSchedule.objects.using(project.using).create(
        name="x", row_id=row.pk, set="shop", applied="{}", applied_at=NOW, overlap="skip", max_runtime=3600
    )
    note_started(project.using, "5f3e", "x", "celery@w1")
    now = run(project, "x")
    past = run(project, "x", "--from", "2026-11-01T07:00Z", "--to", "2026-11-01T07:01Z")
    note_ended(project.using, "5f3e")
    after = run(project, "x")

    assert (now.code, past.code, len(app.received())) == (0, 0, 3)
    assert "note its last run has not ended: task 5f3e runs on celery@w1 since " in now.out
    assert "the last run of 1 schedule has not ended: x" in past.out
    assert "has not ended" not in after.out


def test_several_are_sent_by_a_selector_and_odd_ones_are_named(project: Project, app: App, clock: Any) -> None:
    quarters(project.using, "sync-a", enabled=False)
    quarters(project.using, "sync-b", expires=NOW - HOUR)
    quarters(project.using, "other")
    PeriodicTask.objects.using(project.using).filter(name="sync-b").update(task="lost")
    done = run(project, "sync-*", "--format", "json")

    assert [(each["name"], each["note"]) for each in json.loads(done.out)["sent"]] == [
        ("sync-a", "it is disabled, and Beat does not send it"),
        (
            "sync-b",
            "its `expires_at` has passed, so workers discard the message; the application does not register the task "
            "`lost`",
        ),
    ]
    assert len(app.received()) == 2


def test_an_unknown_name_is_an_error_with_the_nearest(project: Project, app: App, clock: Any) -> None:
    quarters(project.using, "nightly")
    done = run(project, "nigtly")

    assert (done.code, "did you mean `nightly`?" in done.err) == (64, True)
    assert run(project).code == 64


def test_more_schedules_than_a_number_are_refused(project: Project, app: App, clock: Any) -> None:
    quarters(project.using)
    quarters(project.using, "y")
    done = run(project, "--all", "--max", "1")

    assert (done.code, "2 schedules are selected, 1 may be sent" in done.err) == (3, True)
    assert app.received() == []


def test_a_row_that_cannot_run_is_named_and_nothing_is_sent(project: Project, app: App, clock: Any) -> None:
    quarters(project.using)
    quarters(project.using, "broken")
    PeriodicTask.objects.using(project.using).filter(name="broken").update(args="{}")
    done = run(project, "x", "broken")

    assert (done.code, "`broken`: its args are no JSON list" in done.err) == (1, True)
    assert (app.received(), audit(project.using)) == ([], [])


@pytest.mark.parametrize("words", [(), PAST])
def test_while_it_is_paused_it_is_refused(project: Project, app: App, clock: Any, words: tuple[str, ...]) -> None:
    quarters(project.using)
    pause = Pause.objects.using(project.using).create(name="x", reason="INC-42", who="jo", since=NOW)
    done = run(project, "x", *words)

    assert (done.code, "`x` is paused by jo: INC-42" in done.err, "--allow-paused" in done.err) == (3, True, True)
    assert app.received() == []
    assert run(project, "x", *words, "--allow-paused").code == 0
    assert app.received() != []
    pause.delete()
    FullPause.objects.using(project.using).create(pk=1, who="jo", reason="INC-43", since=NOW, until=NOW + HOUR)
    done = run(project, "x", *words)
    assert (done.code, "everything is paused by jo" in done.err) == (3, True)


@pytest.mark.parametrize("app", [{"broker": "redis://127.0.0.1:1/0"}], indirect=True)
@pytest.mark.parametrize("words", [(), PAST])
def test_a_broker_that_is_away_is_said_and_nothing_is_recorded_as_sent(
    project: Project, app: App, clock: Any, words: tuple[str, ...]
) -> None:
    quarters(project.using)
    done = run(project, "x", *words)

    assert done.code == 69
    assert "the broker cannot be reached" in done.out + done.err
    assert [each for each in audit(project.using) if each.get("sent", 1)] == []


def test_ticks_of_the_past_have_the_ids_of_beat(project: Project, app: App, clock: Any) -> None:
    quarters(project.using)
    quarters(project.using, "y")
    listed = run(project, "x", "y", *PAST, "--dry-run")
    assert (listed.code, app.received(), audit(project.using)) == (0, [], [])
    done = run(project, "x", "y", *PAST)
    messages = app.received()
    sent = [(message.headers["schedsync_tick"], message.headers["schedsync_schedule"]) for message in messages]

    assert sent == [(tick, name) for tick in expected(0, 15, 30, 45) for name in ("x", "y")]
    assert all(
        message.headers["id"] == task_id(name, datetime.fromisoformat(tick.replace("Z", "+00:00")))
        for message, (tick, name) in zip(messages, sent, strict=True)
    )
    assert [message.headers["id"] in listed.out for message in messages] == [True] * 8
    assert (done.code, "Sent 8 ticks in run" in done.out) == (0, True)
    assert "schedsync_run_by" in messages[0].headers


def test_what_was_sent_is_sent_again_only_if_asked(project: Project, app: App, clock: Any) -> None:
    quarters(project.using)
    assert run(project, "x", *PAST).code == 0
    assert len(app.ticks()) == 4
    again = run(project, "x", *PAST, "--rate", "100/s")

    assert (again.code, "Nothing is left" in again.out, app.ticks()) == (0, True, [])
    assert run(project, "x", *PAST, "--again").code == 0
    assert len(app.ticks()) == 4


def test_of_two_equal_calls_that_begin_together_one_sends(
    project: Project, app: App, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    quarters(project.using)
    from schedsync.usecases import run_past

    read = run_past.progress_of
    # The second process has looked for a record before the first one wrote it.
    monkeypatch.setattr(run_past, "progress_of", lambda *_: None)
    assert run(project, "x", *PAST).code == 0
    assert len(app.ticks()) == 4
    second = run(project, "x", *PAST)

    assert (second.code, "another process goes on with this run" in second.err, app.ticks()) == (1, True, [])
    monkeypatch.setattr(run_past, "progress_of", read)
    for _ in range(2):
        assert run(project, "x", *PAST, "--again").code == 0
        assert len(app.ticks()) == 4


def test_a_call_that_had_nothing_to_send_is_no_obstacle(project: Project, app: App, clock: Any) -> None:
    row = quarters(project.using, enabled=False)
    assert "Nothing to send" in run(project, "x", *PAST, "--missing").out
    PeriodicTask.objects.using(project.using).filter(pk=row.pk).update(enabled=True)

    assert run(project, "x", *PAST, "--missing").code == 0
    assert len(app.ticks()) == 4


def test_missing_leaves_out_what_is_known_as_sent(project: Project, app: App, clock: Any) -> None:
    row = quarters(project.using)
    claim = {"batch": uuid.uuid4(), "epoch": 1, "claimed_at": NOW, "confirmed": True}
    Claim.objects.using(project.using).create(row_id=row.pk, tick=NOW.replace(hour=7, minute=30), **claim)
    done = run(project, "x", *PAST, "--missing")

    assert app.ticks() == expected(0, 15, 45)
    assert "left out 1 that was already sent" in done.out
    assert "there is no journal: of each schedule only the last tick is known" in done.out
    assert "no result backend is configured" in done.out


@pytest.mark.parametrize("app", [{"backend": "cache+memory://"}], indirect=True)
def test_missing_asks_for_results(project: Project, app: App, clock: Any) -> None:
    quarters(project.using)
    tick = NOW.replace(hour=7, minute=15)
    app.celery.backend.store_result(task_id("x", tick), None, states.SUCCESS)
    assert run(project, "x", *PAST, "--missing").code == 0

    assert app.ticks() == expected(0, 30, 45)


def test_missing_reads_the_journal(project: Project, app: App, clock: Any) -> None:
    row = quarters(project.using)
    at = [NOW.replace(hour=7, minute=minute) for minute in (0, 15, 30)]
    note = [1.0, row.pk, Event.UNSURE.value, micros(at[2]), micros(at[2]), 1, "", "", None]
    elsewhere = [1.0, row.pk, Event.UNSURE.value, micros(at[2] - HOUR), micros(at[2] - HOUR), 1, "", "", None]
    write_segment(project, [(row.pk, at[0]), (row.pk + 1, at[1])], [note, elsewhere])
    done = run(project, "x", *PAST, "--missing")

    assert app.ticks() == expected(15, 45)
    assert "there is no journal" not in done.out
    assert "left out 1 tick of a schedule that is sent at most once" in done.out


def write_segment(project: Project, sent: list[tuple[int, datetime]], notes: Any = ()) -> None:
    from schedsync.models import JournalSegment

    rows, ticks = [row_id for row_id, _ in sent], [micros(tick) for _, tick in sent]
    data = packed({"dropped": 0, "notes": list(notes)}, [rows, ticks, [5] * len(sent)])
    JournalSegment.objects.using(project.using).create(
        beat=uuid.uuid4(), name="beat-0", epoch=1, first=NOW - 4 * HOUR, last=NOW, written_at=NOW - 4 * HOUR, data=data
    )


def test_missing_says_that_a_beat_was_killed(project: Project, app: App, clock: Any) -> None:
    from schedsync.models import JournalSegment

    quarters(project.using)
    begins = {"beat": uuid.uuid4(), "name": "beat-0", "turn": "begin", "data": packed({"age": 0})}
    JournalSegment.objects.using(project.using).create(epoch=1, written_at=NOW - 2 * HOUR, **begins)
    killed = run(project, "x", *PAST, "--missing", "--dry-run")
    before = run(project, "x", "--from", "07:00", "--to", "07:30", "--missing", "--dry-run")

    assert "unknown  a Beat was killed in that time: its last records are lost" in killed.out
    assert "a Beat was killed" not in before.out


def test_an_interval_that_was_counted_from_another_run_is_not_sent_again(
    project: Project, app: App, clock: Any
) -> None:
    row = make(project.using, "x", {**TIMINGS["interval"], "last_run_at": NOW.replace(minute=3)})
    write_segment(project, [(row.pk, NOW.replace(hour=9, minute=minute)) for minute in (3, 17)])
    claim = {"batch": uuid.uuid4(), "epoch": 1, "claimed_at": NOW, "confirmed": True}
    Claim.objects.using(project.using).create(row_id=row.pk, tick=NOW.replace(hour=9, minute=24), **claim)
    done = run(project, "x", "--from", "2026-11-23T09:00Z", "--to", "2026-11-23T09:28Z", "--missing")

    assert app.ticks() == expected(7, hour=9)
    assert "3 known to be sent" in done.out or "3 that were already sent" in done.out


def test_missing_leaves_out_what_is_disabled(project: Project, app: App, clock: Any) -> None:
    quarters(project.using, "off", enabled=False)
    quarters(project.using, "paused", enabled=False)
    quarters(project.using, "held", enabled=False)
    pause = {"reason": "INC-42", "who": "jo", "since": NOW}
    Pause.objects.using(project.using).create(name="paused", **pause)
    Pause.objects.using(project.using).create(name="held", held=True, **pause)
    done = run(project, "--all", *PAST, "--missing", "--allow-paused")

    assert [message.headers["schedsync_schedule"] for message in app.received()] == ["paused"] * 4
    assert "note  2 schedules are disabled and left out: held, off" in done.out
    alone = run(project, "off", *PAST, "--missing")
    assert alone.out.splitlines()[:2] == ["Nothing to send", "  note  1 schedule is disabled and left out: off"]
    sent = json.loads(run(project, "off", *PAST, "--format", "json").out)
    assert (sent["notes"], len(sent["sent"])) == (["1 schedule is disabled: off"], 4)


def test_more_than_a_thousand_need_a_number(project: Project, app: App, clock: Any) -> None:
    make(project.using, "x", {**TIMINGS["each minute"], "last_run_at": NOW})
    span = ("--from", "2026-11-22T00:00Z", "--to", "2026-11-22T16:41Z")
    refused = run(project, "x", *span, "--dry-run")

    assert (refused.code, "there are more than 1,000 ticks" in refused.err) == (3, True)
    listed = run(project, "x", *span, "--dry-run", "--max", "1001")
    assert (listed.code, "Would send 1,001 ticks" in listed.out) == (0, True)


def test_the_number_is_of_what_is_missing(project: Project, app: App, clock: Any) -> None:
    row = quarters(project.using)
    write_segment(project, [(row.pk, NOW.replace(hour=7, minute=minute)) for minute in (0, 15)])
    refused = run(project, "x", *PAST, "--missing", "--max", "1")

    assert (refused.code, "there is more than 1 tick from" in refused.err, app.ticks()) == (3, True, [])
    assert run(project, "x", *PAST, "--missing", "--max", "2").code == 0
    assert app.ticks() == expected(30, 45)


def test_times_are_of_the_zone_of_the_schedules(project: Project, app: App, clock: Any) -> None:
    make(project.using, "berlin", {**TIMINGS["berlin"], "last_run_at": NOW})
    quarters(project.using, "utc")
    assert run(project, "berlin", "--from", "2026-11-22 12:00", "--to", "2026-11-22 12:06").code == 0
    assert app.ticks() == ["2026-11-22T11:05:00Z"]
    assert run(project, "berlin", "--from", "12:00", "--to", "12:10").code == 0
    assert app.ticks() == ["2026-11-22T11:05:00Z"]
    mixed = run(project, "--all", "--from", "08:00", "--to", "09:00")

    assert (mixed.code, "the schedules are in several zones: Europe/Berlin, UTC" in mixed.err) == (64, True)


def test_intervals_count_from_their_last_run(project: Project, app: App, clock: Any) -> None:
    make(project.using, "x", {**TIMINGS["interval"], "last_run_at": NOW.replace(minute=3)})
    assert run(project, "x", "--from", "2026-11-23T09:00Z", "--to", "2026-11-23T09:20Z").code == 0

    assert app.ticks() == expected(0, 7, 14, hour=9)


@pytest.mark.parametrize(
    "words",
    [
        ("--from", "2026-11-23T07:00Z"),
        ("--to", "2026-11-23T08:00Z"),
        ("--missing",),
        ("--dry-run",),
        ("--rate", "1/m"),
        (*PAST, "--rate", "0/m"),
        (*PAST, "--rate", "1/d"),
        (*PAST, "--args", "[]"),
        ("--from", "2026-11-23T08:00Z", "--to", "2026-11-23T07:00Z"),
        ("--from", "2026-11-23T08:00Z", "--to", "2026-11-23T10:01Z"),
        ("--from", "yesterday", "--to", "2026-11-23T08:00Z"),
        ("--from", "2026-02-30", "--to", "2026-11-23T08:00Z"),
    ],
)
def test_options_that_cannot_apply_are_wrong_usage(
    project: Project, app: App, clock: Any, words: tuple[str, ...]
) -> None:
    quarters(project.using)

    assert run(project, "x", *words).code == 64
    assert app.received() == []


def test_a_pause_in_the_middle_stops_it_and_it_goes_on_later(
    project: Project, app: App, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    quarters(project.using)
    from schedsync.usecases import run_past

    monkeypatch.setattr(run_past, "LOOKS_EVERY", 0.0)
    send = run_past.HandSender.send

    def send_and_pause(sender: Any, message: Any) -> None:
        send(sender, message)
        if message.tick.minute == 15:
            Pause.objects.using(project.using).create(name="x", reason="INC-42", who="jo", since=NOW)

    monkeypatch.setattr(run_past.HandSender, "send", send_and_pause)
    stopped = run(project, "x", *PAST)

    assert (stopped.code, app.ticks()) == (3, expected(0, 15))
    assert "STOPPED  `x` is paused by jo: INC-42" in stopped.out
    go_on = f"schedsync run x --from 2026-11-23T07:00:00Z --to 2026-11-23T08:00:00Z --database {project.using}"
    assert f"To go on: {go_on}" in stopped.out
    Pause.objects.using(project.using).all().delete()
    monkeypatch.setattr(run_past.HandSender, "send", send)
    going = run(project, "x", *PAST)
    assert (going.code, app.ticks()) == (0, expected(30, 45))
    assert "Sent 2 ticks in run" in going.out
    assert "; an earlier call has sent 2" in going.out


def test_json_has_all_of_it(project: Project, app: App, clock: Any) -> None:
    quarters(project.using)
    document = json.loads(run(project, "x", *PAST, "--format", "json").out)

    assert [each["tick"] for each in document["sent"]] == expected(0, 15, 30, 45)
    assert (document["left"], document["stopped"], document["failure_reason"]) == ([], None, None)
    assert uuid.UUID(document["run"])


@pytest.mark.one_database
@pytest.mark.parametrize("kind", ["redis", "rabbitmq"])
def test_real_brokers_get_the_messages(kind: str, project: Project, clock: Any) -> None:
    if kind not in settings.BROKERS:
        pytest.skip(f"no {kind} on this machine")
    made, before = App(settings.BROKERS[kind], None), _state._tls.current_app  # type: ignore[attr-defined]
    made.celery.set_current()
    try:
        quarters(project.using)
        # The queue must be there: RabbitMQ drops what has none.
        assert made.received() == []
        assert (run(project, "x").code, run(project, "x", *PAST, "--rate", "1000/s").code) == (0, 0)
        assert made.ticks() == ["2026-11-23T10:00:00Z", *expected(0, 15, 30, 45)]
    finally:
        with made.celery.connection_for_write() as connection:
            connection.SimpleQueue(made.queue).queue.delete()
        _state._tls.current_app = before  # type: ignore[attr-defined]


def test_why_knows_what_a_run_of_the_past_has_sent(project: Project, app: App, clock: Any) -> None:
    quarters(project.using, last_run_at=None)
    assert run(project, "x", *PAST).code == 0
    done = project.command("why", "x", "--at", "2026-11-23T07:15Z", "--format", "json", "--database", project.using)
    answer = json.loads(done.out)["answer"]

    assert (answer["verdict"], answer["task_id"]) == ("sent", task_id("x", NOW.replace(hour=7, minute=15)))
    assert "by hand: in a run of the past that began at Mon 23 Nov 10:00" in answer["sentence"]
    assert answer["evidence"][0]["kind"] == "seen"
