"""What an agent does beside its turns goes on after a try that failed."""

from __future__ import annotations

import threading

import pytest

from schedsync.agent.background import Background, Job


def test_without_a_free_thread_a_job_waits_for_the_next_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    done: list[int] = []
    background = Background("test")
    background.put("job", Job(lambda: done.append(1), "it is not done", "a" * 40, "shop"))
    with monkeypatch.context() as host:
        host.setattr(threading.Thread, "start", full)
        with pytest.raises(RuntimeError):
            background.start()
    background.start()
    background.wait(30)

    assert done == [1]
