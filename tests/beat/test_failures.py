"""A schedule whose message cannot be sent does not look healthy."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from amqp.exceptions import MessageNacked
from django_celery_beat.models import PeriodicTask

from schedsync.models import SendFailure
from tests.beat.ours import Beat
from tests.beat.test_like_stock import TIMINGS, make
from tests.beat.test_tables import without
from tests.conftest import NOW, Done, Project

MINUTE = timedelta(minutes=1)


def status(project: Project) -> tuple[int, list[dict[str, Any]]]:
    done = project.command("status", "--database", project.using, "--format", "json")
    found: list[dict[str, Any]] = json.loads(done.out)["failed"]
    for failed in found:
        assert failed.pop("at")
    return done.code, found


def text(project: Project) -> Done:
    return project.command("status", "--database", project.using)


def failing(project: Project, clock: Any, error: Exception, **columns: Any) -> Beat:
    """Return a Beat that cannot send the message of `x`, which is due; `y` is sent."""
    for name in ("x", "y"):
        make(project.using, name, {**TIMINGS["each minute"], "last_run_at": NOW - MINUTE, **columns})
    beat = Beat(clock)
    beat.scheduler.fails_at = lambda message: error if message.name == "x" else None
    beat.settle()
    return beat


def test_a_message_that_can_never_be_sent_is_shown_and_said_ever_more_rarely(
    project: Project, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    beat = failing(project, clock, TypeError("no such serializer"))
    beat.run(8 * MINUTE + timedelta(seconds=1))
    logged = [line for record in caplog.records if "cannot be sent" in (line := record.getMessage())]

    assert logged == ["`x` cannot be sent", *(f"`x` cannot be sent, {count} times in a row" for count in (2, 4, 8))]
    expected = {
        "name": "x",
        "tick": "2026-11-23T10:08:00Z",
        "reason": "TypeError: no such serializer",
        "given_up": True,
    }
    assert status(project) == (2, [expected])
    assert "Failed   x not sent, tick Mon 23 Nov 10:08 UTC, at " in text(project).out

    beat.scheduler.fails_at = None
    beat.run(MINUTE)
    assert status(project) == (0, [])
    beat.scheduler.fails_at = lambda _: TypeError("again")
    beat.run(MINUTE)
    assert caplog.text.count("`x` cannot be sent\n") == 2


@pytest.mark.one_database
def test_no_line_about_a_message_that_cannot_be_sent_shows_a_secret(
    project: Project, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    beat = failing(project, clock, TypeError("no such serializer"))
    for cause, error in (("OSError", TypeError), ("KeyError", MessageNacked), ("KeyError", OSError)):
        failure = error("password=hunter2-canary")
        failure.__cause__ = {"OSError": OSError, "KeyError": KeyError}[cause]("redis://:hunter2-canary@h/0")
        beat.scheduler.fails_at = lambda message, failure=failure: failure if message.name == "x" else None
        beat.run(2 * MINUTE)
        beat.tried_again()

    assert "hunter2-canary" not in caplog.text
    assert "\nOSError: ***\n" in caplog.text
    assert "\nTypeError: ***\n" in caplog.text
    assert "the broker refuses `x`" in caplog.text
    assert "the broker cannot be reached, ticks wait for it: ***" in caplog.text


def test_a_one_off_that_could_not_be_sent_does_not_look_done(project: Project, clock: Any) -> None:
    failing(project, clock, KeyError("no such queue"), one_off=True)

    code, (failed,) = status(project)
    assert (code, failed["name"], failed["reason"]) == (2, "x", "KeyError: 'no such queue'")


def test_a_message_that_is_refused_is_shown_until_it_is_sent(project: Project, clock: Any) -> None:
    beat = failing(project, clock, MessageNacked())
    code, (failed,) = status(project)
    assert (code, failed["name"], failed["given_up"]) == (2, "x", False)
    assert "x refused, and tried again, tick " in text(project).out

    beat.scheduler.fails_at = None
    beat.tried_again()
    assert status(project) == (0, [])


def test_a_schedule_that_was_disabled_since_is_not_shown(project: Project, clock: Any) -> None:
    failing(project, clock, TypeError("no"))
    PeriodicTask.objects.using(project.using).filter(name="x").update(enabled=False)

    assert status(project) == (0, [])


def test_the_reason_is_one_line_without_secrets_that_every_database_can_hold(project: Project, clock: Any) -> None:
    failing(project, clock, TypeError("a\0 \U0001f600 amqp://guest:hunter2@host/\nmore" + 600 * "x"))
    reason = SendFailure.objects.using(project.using).get().reason

    assert "hunter2" not in reason
    assert reason.isascii()
    assert "more" not in reason
    assert len(reason) <= 500


def test_beat_and_status_go_on_where_the_table_is_not_there_yet(project: Project, clock: Any) -> None:
    with without(project.using, SendFailure):
        beat = failing(project, clock, TypeError("no"))
        assert [message.name for _, message in beat.scheduler.sent] == ["y"]
        assert status(project) == (0, [])
    clock.shift(MINUTE)
    beat.settle()

    assert status(project)[0] == 2


def test_the_failures_of_deleted_rows_are_forgotten_by_the_next_leader(project: Project, clock: Any) -> None:
    beat = failing(project, clock, TypeError("no"))
    beat.scheduler.close()
    PeriodicTask.objects.using(project.using).filter(name="x").delete()
    Beat(clock).settle()

    assert not SendFailure.objects.using(project.using).exists()
