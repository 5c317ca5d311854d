"""A process of Git that talks to a remote: it gets so much time and disk, and then it is killed with its children."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import git

#: Seconds between two looks at the process.
_LOOK = 0.1
#: Bytes of stderr that are kept: what a remote says is as long as it likes.
_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may take: seconds, and bytes by ``used``.

    ``stop`` is asked all the time, and ends the process where it returns true.
    """

    seconds: float
    most: int
    used: Callable[[], int]
    stop: Callable[[], bool] = lambda: False


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: its exit status, the end of what it said on stderr, and why it was killed, if it was."""

    status: int
    said: str
    killed: str | None = None


def run_bounded(command: git.Git, words: Sequence[str], limits: Limits) -> Ended:
    """Run Git, and return how it ended; it and all of its children are killed where it takes more than it may."""
    # A session of its own has no terminal to ask on, and all of it can be killed.
    handle = command.execute(["git", *words], as_process=True, with_stdout=False, start_new_session=True)
    popen: Any = handle.proc
    tail = _Tail(popen.stderr)
    killed: str | None = "it was interrupted"
    try:
        killed = _wait(popen, limits)
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(popen.pid, signal.SIGKILL)
        popen.wait()
        said = tail.end()
    return Ended(int(popen.returncode), said, killed)


def _wait(popen: Any, limits: Limits) -> str | None:
    end = time.monotonic() + limits.seconds
    while popen.poll() is None:
        if time.monotonic() > end:
            return f"it took longer than {limits.seconds:g} s"
        if limits.used() > limits.most:
            return f"it is larger than {limits.most:,} bytes"
        if limits.stop():
            return "the agent stops"
        time.sleep(_LOOK)
    return None


class _Tail:
    """Reads a stream to its end in a thread, so that its writer never waits, and keeps the last of it."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._kept = stream, b""
        self._thread = threading.Thread(target=self._read, name="schedsync-git", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with suppress(OSError, ValueError):
            while chunk := self._stream.read1(2**16):
                self._kept = (self._kept + chunk)[-_KEPT:]

    def end(self) -> str:
        # A child that left the session may still hold the stream.
        self._thread.join(1.0)
        return self._kept.decode("utf-8", "replace")
