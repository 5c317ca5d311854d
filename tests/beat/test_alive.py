"""Signs of life: to systemd's socket, and in a file."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from schedsync.beat.alive import Alive, activity, alive_file


class Systemd:
    """The socket to which a service sends what it has to say."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)

    def close(self) -> None:
        self.socket.close()

    def heard(self) -> list[str]:
        lines: list[str] = []
        while True:
            try:
                lines += self.socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return lines


@pytest.fixture(params=["file", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    name = str(tmp_path / "notify") if request.param == "file" else f"@schedsync-test-{os.getpid()}"
    found = Systemd(name.replace("@", "\0"))
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    yield found
    found.close()


def test_it_is_ready_once_and_extends_the_start_until_then(systemd: Systemd) -> None:
    alive = Alive(file=None)
    alive.step("waiting for the database", is_ready=False)
    assert systemd.heard() == ["STATUS=waiting for the database", "EXTEND_TIMEOUT_USEC=30000000", "WATCHDOG=1"]
    alive.step("leading, 3 schedules", is_ready=True)
    assert systemd.heard() == ["STATUS=leading, 3 schedules", "READY=1", "WATCHDOG=1"]
    alive._next = 0.0
    alive.step("leading, 3 schedules", is_ready=True)
    assert systemd.heard() == ["WATCHDOG=1"]
    alive.stop()
    assert systemd.heard() == ["STOPPING=1", "STATUS=handing over"]


def test_there_is_one_sign_a_second_unless_there_is_news(systemd: Systemd) -> None:
    alive = Alive(file=None)
    for _ in range(5):
        alive.step("standing by, 1 schedules", is_ready=True)
    assert systemd.heard().count("WATCHDOG=1") == 1
    alive.step("leading, 1 schedules", is_ready=True)
    assert systemd.heard() == ["STATUS=leading, 1 schedules", "WATCHDOG=1"]


def test_a_watchdog_that_waits_for_another_process_is_not_fed(
    systemd: Systemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_PID", "1")
    Alive(file=None).step("x", is_ready=True)
    assert systemd.heard() == ["STATUS=x", "READY=1"]


def test_the_file_is_touched_also_while_the_database_is_away_and_deleted_at_the_end(tmp_path: Path) -> None:
    file = tmp_path / "alive"
    alive = Alive(file=str(file), notify_socket=None)
    alive.step("waiting for the database", is_ready=False)
    os.utime(file, (1, 1))
    alive._next = 0.0
    alive.step("waiting for the database", is_ready=False)

    assert time.time() - file.stat().st_mtime < 60
    alive.stop()
    assert not file.exists()


def test_where_no_sign_can_be_given_it_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    alive = Alive(file=str(tmp_path / "missing" / "alive"), notify_socket=str(tmp_path / "nobody"))
    for number in range(3):
        alive.step(f"step {number}", is_ready=True)
    alive.stop()

    assert len(caplog.records) == 1
    assert caplog.records[0].getMessage().startswith("no sign of life can be given: ")


def test_the_file_is_named_by_the_setting_or_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert alive_file() is None
    monkeypatch.setenv("SCHEDSYNC_ALIVE_FILE", "/run/one")
    assert alive_file() == "/run/one"
    monkeypatch.setattr("django.conf.settings.SCHEDSYNC_ALIVE_FILE", Path("/run/two"), raising=False)
    assert alive_file() == "/run/two"


def test_the_activity_says_what_it_waits_for() -> None:
    assert activity(True, 10_212, is_away=False, broker_trouble="") == "leading, 10,212 schedules"
    assert activity(False, 1, is_away=False, broker_trouble="old") == "standing by, 1 schedules"
    assert activity(True, 1, is_away=False, broker_trouble="gone") == "leading, waiting for the broker: gone"
    assert activity(False, 0, is_away=True, broker_trouble="") == "waiting for the database"
