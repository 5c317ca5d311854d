"""No Git that talks to a remote is left behind."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from schedsync.git.bounded_process import Limits, run_bounded
from schedsync.git.command import command_in
from schedsync.git.mirror_directory import child_file


def test_where_the_host_has_no_free_thread_git_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = tmp_path / "child"

    def full(_thread: threading.Thread) -> None:
        while not mark.read_text():
            time.sleep(0.02)
        raise RuntimeError("can't start new thread")

    command, limits = command_in(tmp_path, {}), Limits(60, 2**30, lambda: 0)
    with child_file(tmp_path) as file:
        with monkeypatch.context() as host:
            host.setattr(threading.Thread, "start", full)
            with pytest.raises(RuntimeError):
                run_bounded(command, ["-c", "alias.x=!sleep 60", "x"], limits, file)
        process = int(mark.read_text())

    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
