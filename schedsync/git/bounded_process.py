"""A process of Git that talks to a remote: its time, disk and memory are bounded, and its children end with it."""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import git

#: Seconds between two looks at the process.
_LOOK = 0.1
#: Bytes of stderr that are kept: a remote can send any amount.
_KEPT = 4096
#: Bytes of memory for each process: a pack of a few kilobytes can hold an object of any size.
_MEMORY = 2 * 2**30


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may take: seconds, bytes of the disk by ``used``, and bytes of memory for each process.

    ``stop`` is asked all the time, and ends the process where it returns true.
    """

    seconds: float
    most: int
    used: Callable[[], int]
    stop: Callable[[], bool] = lambda: False
    memory: int = _MEMORY


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: its exit status, the end of what it said on stderr, and why we killed it, if we did."""

    status: int
    said: str
    killed: str | None = None

    @property
    def reason(self) -> str:
        """Why it failed, for people; what it said may hold credentials."""
        if self.killed is None and self.status < 0:
            return f"Git was ended by {signal.Signals(-self.status).name} {self.said}".strip()
        return self.killed or self.said or f"exit status {self.status}"


def run_bounded(command: git.Git, words: Sequence[str], limits: Limits, mark: IO[str] | None = None) -> Ended:
    """Run Git, and return how it ended; it and all of its children are killed where it takes more than it may.

    They inherit ``mark``, a file into which the id of their group is written.
    """
    words = ["git", *words]
    if mark is not None:
        # It writes its id itself: we may be killed as soon as it runs.
        words = ["sh", "-c", '{ echo $$ > "$0"; } 2> /dev/null; exec "$@"', f"/dev/fd/{mark.fileno()}", *words]
    # A session of its own has no terminal to ask on, and all of it can be killed.
    handle = command.execute(
        words,
        as_process=True,
        with_stdout=False,
        start_new_session=True,
        pass_fds=() if mark is None else (mark.fileno(),),
    )
    popen: Any = handle.proc
    tail: _Tail | None = None
    killed: str | None = "it was interrupted"
    try:
        _limit_memory(popen.pid, limits.memory)
        tail = _Tail(popen.stderr)
        killed = _wait(popen, limits)
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(popen.pid, signal.SIGKILL)
        popen.wait()
        # Without it, the host had no thread left.
        said = tail.end() if tail is not None else ""
    return Ended(int(popen.returncode), said, killed)


def _limit_memory(pid: int, most: int) -> None:
    # Only Linux has this call, and only there it counts what is mapped but no file.
    limit = getattr(resource, "prlimit", None)
    if limit is not None:
        with suppress(OSError, ValueError):
            limit(pid, resource.RLIMIT_DATA, (most, most))


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
