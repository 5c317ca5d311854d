"""Beats as processes, one of which has a wrong clock: it is said, and a Beat whose clock agrees leads."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from itertools import pairwise

from tests.faults.arena import Arena, everywhere

AHEAD = 120


def ahead() -> str:
    """The time by a clock that is ahead, as a Beat is told it."""
    return (datetime.now(timezone.utc) + timedelta(seconds=AHEAD)).isoformat()


def log(arena: Arena, number: int) -> str:
    return (arena.project.root / f"beat{number}.log").read_text(errors="replace")


def test_a_beat_whose_clock_is_ahead_leads_alone_and_says_so_until_another_comes(arenas: list[Arena]) -> None:
    def scenario(arena: Arena) -> None:
        number = arena._number
        with arena.beat(FAULTS_NOW=ahead()) as wrong:
            arena.wait_for(20)
            first = log(arena, number + 1)
            assert "s ahead of the database's: tasks run too early" in first
            assert "no live Beat's clock agrees: this Beat may go on to lead" in first
            with arena.beat() as right:
                # Less than the 120 seconds for which the ticks of the future were sent.
                arena.wait_for(50, by=right.pid, seconds=60)
                arena.wait_until(lambda: "a Beat whose clock agrees leads instead" in log(arena, number + 1))
                count = arena._count(wrong.pid)
                time.sleep(4)
                assert arena._count(wrong.pid) == count
        _check(arena, right.pid)

    everywhere(arenas, scenario)


def _check(arena: Arena, pid: int) -> None:
    """The successor sends each tick once, at its time, and none is missing."""
    lines = [line for line in arena.sent() if line["pid"] == pid]
    for name in {line["name"] for line in lines}:
        mine = [line for line in lines if line["name"] == name]
        ticks = [datetime.fromisoformat(line["tick"].replace("Z", "+00:00")) for line in mine]
        assert {later - earlier for earlier, later in pairwise(ticks)} <= {timedelta(seconds=1)}, arena.logs()
        assert all(tick.timestamp() <= line["at"] for tick, line in zip(ticks, mine, strict=True))


def test_a_standby_whose_clock_is_ahead_waits_for_a_beat_that_agrees_to_be_gone(arenas: list[Arena]) -> None:
    def scenario(arena: Arena) -> None:
        with arena.beat() as right:
            arena.wait_for(10)
            with arena.beat(FAULTS_NOW=ahead()) as wrong:
                arena.wait_until(lambda: _is_seen(arena, wrong.pid))
                time.sleep(4)
                assert arena._count(wrong.pid) == 0
                right.kill()
                arena.wait_for(10, by=wrong.pid)

    everywhere(arenas, scenario)


def _is_seen(arena: Arena, pid: int) -> bool:
    reports = arena.sql("SELECT name, clock_ahead FROM schedsync_beatreport")
    return any(name.endswith(f":{pid}") and value is not None and value > 100 for name, value in reports)
