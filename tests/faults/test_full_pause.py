"""A pause of everything over two Beats: restart, failover and the end of the pause with nobody there."""

from __future__ import annotations

import signal
import time
from datetime import datetime

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
                ended = _run(arena, "resume", "--all")
                arena.wait_for(20)
        _check(arena, began, ended)

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
        _check(arena, began, began + 5)

    everywhere(arenas, scenario)


def _run(arena: Arena, *words: str) -> float:
    """Run a verb, and return the time at its end; a tick is at most one second earlier than its message."""
    done = arena.project.run(*words)
    assert done.returncode == 0, done.stderr
    return time.time()


def _check(arena: Arena, began: float, ended: float) -> None:
    """No tick of the pause was sent, at any time; and no tick twice."""
    ticks = [(line["name"], datetime.fromisoformat(line["tick"].replace("Z", "+00:00"))) for line in arena.sent()]
    # Within two seconds each Beat stops. The end is when the verb had written it, a little before it returned.
    within = [tick for _, tick in ticks if began + 2 < tick.timestamp() < ended - 2]
    assert within == [], (arena.alias, arena.logs())
    assert len(set(ticks)) == len(ticks), arena.logs()
    assert max(tick.timestamp() for _, tick in ticks) > ended
