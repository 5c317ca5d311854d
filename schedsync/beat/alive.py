"""Tells systemd and a file that this Beat goes on: each step is a sign of life, also while the database is away.

``sd_notify`` is one datagram to the socket that systemd names. The libraries for it have had no release for years, or
need systemd's own library and a compiler.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

logger = logging.getLogger(__name__)

#: Seconds between two signs of life.
_EVERY = 1.0
#: While Beat waits for its database at the start, it asks for this many more seconds.
_MORE_TIME = 30


def alive_file() -> str | None:
    """Return the file of ``SCHEDSYNC_ALIVE_FILE``, a Django setting or an environment variable."""
    file = getattr(settings, "SCHEDSYNC_ALIVE_FILE", None) or os.environ.get("SCHEDSYNC_ALIVE_FILE")
    return str(file) if file else None


def activity(leads: bool, schedules: int, *, is_away: bool, broker_trouble: str) -> str:
    """Say in one line what Beat does; ``is_away`` is true while it waits for the database."""
    if is_away:
        return "waiting for the database"
    if leads and broker_trouble:
        return f"leading, waiting for the broker: {broker_trouble}"
    return f"{'leading' if leads else 'standing by'}, {schedules:,} schedules"


@dataclass
class Alive:
    """The signs of life of one Beat: in a file, whose age is checked, and for systemd.

    READY=1 is sent once, after the first step that succeeded; until then systemd's time for the start is extended.
    """

    file: str | None = field(default_factory=alive_file)
    notify_socket: str | None = field(default_factory=lambda: os.environ.get("NOTIFY_SOCKET"))
    _is_ready: bool = False
    _text: str = ""
    _next: float = 0.0
    _has_complained: bool = False

    def step(self, text: str, *, is_ready: bool) -> None:
        """Give a sign of life, at most one a second; ``text`` says what Beat does, for ``systemctl status``."""
        news = (is_ready and not self._is_ready) or text != self._text
        if not news and time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _EVERY
        self._touch()
        lines = [f"STATUS={text}"] if text != self._text else []
        if is_ready and not self._is_ready:
            lines.append("READY=1")
        self._is_ready |= is_ready
        self._text = text
        if not self._is_ready:
            lines.append(f"EXTEND_TIMEOUT_USEC={_MORE_TIME * 10**6}")
        if _is_watched():
            lines.append("WATCHDOG=1")
        self._notify(lines)

    def stop(self) -> None:
        """Say that Beat ends, and delete the file: a Beat that has ended is not alive."""
        self._notify(["STOPPING=1", "STATUS=handing over"])
        if self.file is not None:
            try:
                Path(self.file).unlink(missing_ok=True)
            except OSError as error:
                self._complain(error)

    def _touch(self) -> None:
        if self.file is not None:
            try:
                Path(self.file).touch()
            except OSError as error:
                self._complain(error)

    def _notify(self, lines: list[str]) -> None:
        if not self.notify_socket or not lines:
            return
        # A name that begins with @ is in Linux's abstract namespace.
        address = "\0" + self.notify_socket[1:] if self.notify_socket.startswith("@") else self.notify_socket
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
                # systemd may be busy; a later sign does as well.
                connection.setblocking(False)
                connection.sendto("\n".join(lines).encode(), address)
        except OSError as error:
            self._complain(error)

    def _complain(self, error: OSError) -> None:
        """Log the first error; Beat goes on without signs of life."""
        if not self._has_complained:
            self._has_complained = True
            logger.error("no sign of life can be given: %s", error)


def _is_watched() -> bool:
    """Say whether systemd's watchdog waits for this process."""
    pid = os.environ.get("WATCHDOG_PID")
    return bool(os.environ.get("WATCHDOG_USEC")) and pid in (None, "", str(os.getpid()))
