"""The methods that tools wrap on ``celery.beat.Scheduler``, and what Celery's Beat logs; see also tests/ecosystem."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import celery.beat
import pytest
from celery import schedules
from django.db import OperationalError

from schedsync.beat import Scheduler, due_entry
from schedsync.beat import scheduler as scheduler_module
from schedsync.beat.due_entry import DueEntry
from schedsync.beat.message import Message, Payload
from tests.beat.made import NOON, loaded
from tests.beat.ours import Beat, app, row
from tests.beat.test_like_stock import TIMINGS, make
from tests.conftest import NOW

pytestmark = pytest.mark.one_database
DUE = {**TIMINGS["quarters"], "last_run_at": NOW - timedelta(minutes=15)}


def lines(caplog: pytest.LogCaptureFixture, logger: str = "celery.beat") -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == logger and record.levelno >= logging.INFO]


def test_the_step_is_inside_celerys_tick_and_the_waiting_outside(
    using: str, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    tick, apply_entry = celery.beat.Scheduler.tick, celery.beat.Scheduler.apply_entry

    def traced_tick(self: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append("tick begins")
        try:
            return tick(self, *args, **kwargs)
        finally:
            seen.append("tick ends")

    def traced_apply_entry(self: Any, entry: Any, producer: Any = None) -> Any:
        seen.append(f"sends {entry.name}")
        return apply_entry(self, entry, producer=producer)

    def traced_wait(*_: Any) -> bool:
        seen.append("waits")
        return False

    monkeypatch.setattr(celery.beat.Scheduler, "tick", traced_tick)
    monkeypatch.setattr(celery.beat.Scheduler, "apply_entry", traced_apply_entry)
    monkeypatch.setattr(scheduler_module, "wait", traced_wait)
    make(using, "x", DUE)
    scheduler = Beat(clock).scheduler

    assert [scheduler.tick(), scheduler.tick()] == [0.0, 0.0]
    assert seen == ["tick begins", "sends x", "tick ends", "waits", "tick begins", "tick ends", "waits"]


def test_an_error_in_the_step_leaves_celerys_tick_and_the_next_tick_goes_on(
    using: str, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(using, "x", DUE)
    beat = Beat(clock)
    with monkeypatch.context() as patch:
        patch.setattr(beat.scheduler, "step", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            beat.scheduler.tick()
    monkeypatch.setattr(scheduler_module, "wait", lambda *_: False)
    beat.scheduler.tick()

    assert [message.name for _, message in beat.scheduler.sent] == ["x"]


def test_celery_logs_one_line_for_a_message_with_its_fields(
    using: str, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    make(using, "x", DUE)
    Beat(clock).settle()
    sent = [record for record in caplog.records if "due task" in record.getMessage()]

    assert [(record.name, record.getMessage()) for record in sent] == [
        ("celery.beat", "Scheduler: Sending due task x (t)")
    ]
    assert vars(sent[0]).items() >= {"schedule": "x", "task": "t", "tick": NOW.isoformat()}.items()


def test_an_error_of_a_message_is_logged_once(using: str, clock: Any, caplog: pytest.LogCaptureFixture) -> None:
    make(using, "x", DUE)
    beat = Beat(clock)
    beat.scheduler.fails_at = lambda _: ValueError("no such thing")
    beat.settle()
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]

    assert [(record.name, record.getMessage()) for record in errors] == [
        ("schedsync.beat.sender", "`x` cannot be sent")
    ]
    assert row(using, "x").total_run_count == 1


def test_an_error_of_an_entry_of_others_is_logged_by_celery(
    using: str, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    entry = celery.beat.ScheduleEntry(name="x", task="t", schedule=timedelta(minutes=1), app=app)
    beat = Beat(clock)
    beat.scheduler.dies_at = 0
    beat.scheduler.apply_entry(entry)

    assert "Message Error: the broker is gone" in lines(caplog)[-1].getMessage()


def test_the_schedule_of_an_entry_has_the_text_of_its_row(
    using: str, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    due_entry._schedule.cache_clear()
    made = make(using, "x", {"crontab": {"minute": "*/15", "timezone": "Europe/Berlin"}})
    beat = Beat(clock)
    entry = DueEntry(Message(beat.scheduler.roster.schedules[made.pk], NOW, Payload()), app, using)

    assert entry.schedule._orig_minute == "*/15"
    assert str(entry.schedule.tz) == "Europe/Berlin"
    assert entry.model == made
    assert next(entry) is entry

    # What a tool asks for must not cost the message: the timing that is loaded is as good.
    def fails(*_: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(due_entry, "bounded", fails)
    due_entry._schedule.cache_clear()
    del entry.schedule

    assert isinstance(entry.schedule, schedules.crontab)
    assert sorted(entry.schedule.minute) == [0, 15, 30, 45]
    assert str(entry.schedule.tz) == "Europe/Berlin"


def test_what_a_hook_changes_in_an_entry_is_not_in_the_next(using: str) -> None:
    message = Message(loaded(), NOON, Payload("[[1]]", '{"deep": {"list": []}}', '{"h": {}}'))
    entry = DueEntry(message, app, using)
    entry.kwargs["deep"]["list"].append(1)
    entry.args[0].append(2)
    entry.options["headers"]["h"]["x"] = 1
    later = DueEntry(message, app, using)

    assert (later.args, later.kwargs, later.options["headers"]["h"]) == ([[1]], {"deep": {"list": []}}, {})


def test_an_entry_that_is_sent_several_times_has_as_many_ids_and_the_same_again(using: str) -> None:
    message = Message(loaded(), NOON, Payload())
    one, two = (DueEntry(message, app, using) for _ in range(2))
    ids = [one.next_task_id() for _ in range(3)]

    assert ids[0] == message.task_id
    assert len(set(ids)) == 3
    assert [two.next_task_id() for _ in range(3)] == ids


def test_closing_releases_the_connection_that_a_hook_opened(using: str, clock: Any) -> None:
    scheduler = Scheduler(app=app)
    scheduler._finalize.cancel()
    was_connected = scheduler.producer.connection.connected
    connection = scheduler.connection

    scheduler.close()

    assert was_connected
    assert not connection.connected
    assert not {"producer", "connection"} & vars(scheduler).keys()
