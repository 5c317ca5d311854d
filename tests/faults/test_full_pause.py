"""A pause of everything over two Beats: restart, failover and the end of the pause with nobody there."""

from __future__ import annotations

import signal
import time
from datetime import datetime, timezone

from tests.faults.arena import PATIENCE, Arena, everywhere


def test_a_pause_of_everything_outlasts_restarts_and_failovers(elected: list[Arena]) -> None:
    def scenario(arena: Arena) -> None:
        with arena.beat() as one, arena.beat() as two:
            leader = arena.leader([one, two])
            began = _run(arena, "pause", "--all", "--for", "10m", "--reason", "INC-42")
            time.sleep(2)
            before = len(arena.sent())
            leader.kill()
            with arena.beat():
                # Longer than the lease: a standby leads by now, and the one that was restarted stands by.
                time.sleep(6)
                assert len(arena.sent()) == before, arena.logs()
                for process in (one, two):
                    process.send_signal(signal.SIGTERM)
                    process.wait(PATIENCE)
                time.sleep(3)
                assert len(arena.sent()) == before, arena.logs()
                _run(arena, "resume", "--all")
                arena.wait_for(20)
        _check(arena, began)

    everywhere(elected, scenario)


def test_a_pause_of_everything_that_ends_while_no_beat_runs(arenas: list[Arena]) -> None:
    def scenario(arena: Arena) -> None:
        with arena.beat():
            arena.wait_for(10)
            began = _run(arena, "pause", "--all", "--for", "6s", "--reason", "INC-42")
            time.sleep(2)
        time.sleep(5)
        with arena.beat() as late:
            arena.wait_for(20, by=late.pid)
        _check(arena, began)

    everywhere(arenas, scenario)


def _run(arena: Arena, *words: str) -> float:
    """Run a verb, and return the time at its end."""
    done = arena.project.run(*words)
    assert done.returncode == 0, done.stderr
    return time.time()


def _check(arena: Arena, began: float) -> None:
    """No tick of the pause was sent, at any time, none after it is missing, and none was sent twice."""
    ticks = [(line["name"], datetime.fromisoformat(line["tick"].replace("Z", "+00:00"))) for line in arena.sent()]
    end = _end(arena)
    # Within two seconds each Beat stops.
    assert [tick for _, tick in ticks if began + 2 < tick.timestamp() <= end] == [], (arena.alias, arena.logs())
    assert len(set(ticks)) == len(ticks), arena.logs()
    first = {name: min(tick.timestamp() for other, tick in ticks if other == name and tick.timestamp() > end) - end
             for name, _ in ticks}  # fmt: skip
    assert {name: wait for name, wait in first.items() if wait > 1} == {}, (arena.alias, arena.logs())


def _end(arena: Arena) -> float:
    ((value,),) = arena.sql("SELECT until FROM schedsync_fullpause")
    end = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return (end if end.tzinfo else end.replace(tzinfo=timezone.utc)).timestamp()
