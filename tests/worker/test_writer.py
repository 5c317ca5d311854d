"""The thread that writes for tasks: in order, again after a failure, and no task waits for it long."""

from __future__ import annotations

import os
import threading

import pytest

from schedsync.worker.writer import Writer


def test_a_write_is_done_when_the_task_goes_on() -> None:
    written: list[str] = []

    assert Writer().do(lambda: written.append("start"))
    assert written == ["start"]


def test_what_fails_is_written_later_in_order_and_nothing_waits_meanwhile(caplog: pytest.LogCaptureFixture) -> None:
    writer, written, is_up = Writer(), [], threading.Event()
    done = threading.Event()

    def start() -> None:
        if not is_up.is_set():
            raise OSError("the database is away")
        written.append("start")

    assert not writer.do(start)
    assert not writer.do(lambda: written.append("end"))
    is_up.set()
    writer.do(done.set)
    assert done.wait(60)

    assert written == ["start", "end"]
    assert [record.getMessage() for record in caplog.records] == [
        "the start or the end of a run cannot be written: OSError: the database is away"
    ]
    assert writer.do(lambda: written.append("next"))


def test_a_write_that_hangs_holds_no_task_up(caplog: pytest.LogCaptureFixture) -> None:
    writer, hangs, written = Writer(), threading.Event(), threading.Event()
    first = writer.do(lambda: hangs.wait(60) and None, patience=0.01)
    second = writer.do(written.set, patience=60)
    hangs.set()

    assert written.wait(60)
    assert (first, second) == (False, False)
    assert "tasks do not wait for it" in caplog.text


def test_what_fails_for_too_long_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise OSError("gone")

    writer, done = Writer(keep=-1.0), threading.Event()
    writer.do(fail)
    writer.do(done.set)

    assert done.wait(60)
    assert "is dropped" in caplog.text


def test_a_forked_child_writes_with_a_thread_of_its_own() -> None:
    writer = Writer()
    writer.do(lambda: None)
    child = os.fork()
    if not child:
        os._exit(0 if writer.do(lambda: None) else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
