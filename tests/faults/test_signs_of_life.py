"""What probes see of a real Beat: while its database is away, while it is suspended, and at its end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from pathlib import Path

from tests.beat.test_alive import Systemd
from tests.faults.arena import Arena
from tests.faults.test_outages import through_a_proxy


def age(file: Path) -> float:
    """Return how old a file is, in seconds; a file that is missing is very old."""
    return time.time() - file.stat().st_mtime if file.exists() else 1e9


def test_a_beat_lives_while_its_database_is_away_and_is_ready_once_it_has_loaded(
    arenas: list[Arena], tmp_path: Path
) -> None:
    arena = next(arena for arena in reversed(arenas) if arena.alias != "default" or len(arenas) == 1)
    file = tmp_path / "alive"
    heard: list[str] = []

    def hears(line: str) -> bool:
        heard.extend(systemd.heard())
        return any(line in said for said in heard)

    def says(*words: str) -> tuple[int, str]:
        done = arena.project.run("status", *words)
        return done.returncode, done.stdout

    variables = {
        "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "60000000", "SCHEDSYNC_ALIVE_FILE": str(file),
    }  # fmt: skip
    with contextlib.closing(Systemd(str(tmp_path / "notify"))) as systemd, through_a_proxy(arena) as proxy:
        proxy.down()
        with arena.beat(**variables) as beat:
            arena.wait_until(lambda: hears("EXTEND_TIMEOUT_USEC=30000000"))
            arena.wait_until(lambda: age(file) < 5)
            assert (hears("READY=1"), says("--self")[0]) == (False, 2)
            proxy.up()
            arena.wait_until(lambda: hears("READY=1"))
            arena.wait_until(lambda: hears("STATUS=leading, 10 schedules"))
            arena.wait_for(20)
            code, text = says("--self")
            assert (code, text.split("\n")[0]) == (0, "OK"), text
            document = json.loads(says("--expect-beats", "2", "--format", "json")[1])
            assert [problem["code"] for problem in document["problems"]] == ["too_few_beats"]

            proxy.down()
            heard.clear()
            arena.wait_until(lambda: hears("STATUS=waiting for the database"))
            heard.clear()
            arena.wait_until(lambda: not hears("nothing") and heard.count("WATCHDOG=1") > 2)
            assert age(file) < 5
            proxy.up()
            arena.wait_until(lambda: hears("STATUS=leading, 10 schedules"))

            os.kill(beat.pid, signal.SIGSTOP)
            arena.wait_until(lambda: age(file) > 4)
            systemd.heard()
            time.sleep(1.5)
            assert systemd.heard() == []
            os.kill(beat.pid, signal.SIGCONT)
            arena.wait_until(lambda: age(file) < 2)

            beat.send_signal(signal.SIGTERM)
            beat.wait(60)
            assert hears("STOPPING=1")
            assert not file.exists()
            code, text = says()
            assert (code, text.split("\n")[0]) == (2, "NOT OK  no Beat is live")
            assert " ended " in text
            assert says("--self")[0] == 2
            assert says("--expect-beats", "0")[0] == 0
