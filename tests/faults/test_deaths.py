"""Whatever kills, stops or cuts off a Beat: every tick is accounted for."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from contextlib import ExitStack
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError

from tests.faults.arena import PATIENCE, Arena, check, everywhere

PLACES = ("before claim", "after claim", "after send", "before confirm", "after confirm")
REMOVED = ", ".join(f"s{number}" for number in range(10))
SEED = int(os.environ.get("SCHEDSYNC_TEST_SEED", "1"))


def test_a_leader_that_is_killed_anywhere(elected: list[Arena]) -> None:
    def scenario(arena: Arena) -> None:
        chance = random.Random(f"{SEED}{arena.alias}")
        with arena.beat() as last:
            arena.wait_for(10)
            for place in PLACES:
                count = chance.randint(2, 4) * (7 if place == "after send" else 1)
                with arena.beat(FAULTS_DIE=f"{place}:{count}") as doomed:
                    time.sleep(1.5)
                    last.send_signal(signal.SIGTERM)
                    last.wait(PATIENCE)
                    arena.wait_until(lambda doomed=doomed: doomed.poll() is not None)  # type: ignore[misc]
                    last = arena.start()
                    arena.wait_for(10, by=last.pid)
            arena.stop(last)
        check(arena, every=1, may_repeat=10 * len(PLACES))

    everywhere(elected, scenario)


def test_a_standby_takes_over_from_a_leader_that_is_killed(elected: list[Arena]) -> None:
    def scenario(arena: Arena) -> None:
        with arena.beat() as one, arena.beat() as two:
            leader = arena.leader([one, two])
            standby = two if leader is one else one
            leader.kill()
            arena.wait_for(20, by=standby.pid)
        check(arena, every=1, may_repeat=10)

    everywhere(elected, scenario)


def test_a_leader_whose_process_dies_is_followed_long_before_its_lease_ends(elected: list[Arena]) -> None:
    """By a standby that runs, and by a Beat that starts only then, as where a supervisor starts the only one again."""

    def scenario(arena: Arena) -> None:
        arena.environment["FAULTS_LEASE"] = "600"
        with arena.beat() as one, arena.beat() as two:
            leader = arena.leader([one, two])
            standby = two if leader is one else one
            leader.kill()
            arena.wait_for(20, by=standby.pid)
            standby.kill()
        with arena.beat() as last:
            arena.wait_for(20, by=last.pid)
        check(arena, every=1, may_repeat=20)

    everywhere(elected, scenario)


def test_a_leader_that_is_only_stopped_keeps_its_lease(elected: list[Arena]) -> None:
    def scenario(arena: Arena) -> None:
        arena.environment["FAULTS_LEASE"] = "600"
        with arena.beat() as one, arena.beat() as two:
            leader = arena.leader([one, two])
            standby = two if leader is one else one
            stopped_between_transactions(arena, leader)
            count = len(arena.sent())
            # Several looks of the standby.
            time.sleep(5)
            assert len(arena.sent()) == count
            leader.send_signal(signal.SIGCONT)
            arena.wait_for(20, by=leader.pid)
            assert {line["pid"] for line in arena.sent()} == {leader.pid} != {standby.pid}
        check(arena, every=1)

    everywhere(elected, scenario)


def test_a_leader_that_is_asked_to_end_hands_over(elected: list[Arena]) -> None:
    """Long before its lease would have run out."""

    def scenario(arena: Arena) -> None:
        arena.environment["FAULTS_LEASE"] = "600"
        with arena.beat() as one, arena.beat() as two:
            leader = arena.leader([one, two])
            standby = two if leader is one else one
            leader.terminate()
            assert leader.wait(PATIENCE) == 0
            arena.wait_for(20, by=standby.pid)
        check(arena, every=1)

    everywhere(elected, scenario)


def test_a_leader_that_is_told_to_end_several_times_ends(elected: list[Arena]) -> None:
    """As by a supervisor that signals the whole group, or by someone who presses Ctrl-C until something happens."""

    def scenario(arena: Arena) -> None:
        arena.environment["FAULTS_LEASE"] = "600"
        chance = random.Random(arena.alias)
        for _ in range(4):
            with arena.beat() as beat:
                arena.leader([beat])
                time.sleep(chance.uniform(0, 1))
                for _ in range(4):
                    beat.send_signal(chance.choice([signal.SIGTERM, signal.SIGINT]))
                    time.sleep(chance.choice([0, 0.001, 0.003, 0.01]))
                # By a signal, where it came when Python had put the handlers away; the lease was given back by then.
                assert beat.wait(PATIENCE) in {0, 1, -signal.SIGTERM, -signal.SIGINT}, arena.logs()
        check(arena, every=1)

    everywhere(elected, scenario)


def stopped_between_transactions(arena: Arena, process: subprocess.Popen[bytes]) -> None:
    """Stop a process; where it is a file that it holds locked, let it go on and try again: it would hold it for all."""
    while True:
        process.send_signal(signal.SIGSTOP)
        try:
            arena.sql("UPDATE schedsync_claim SET epoch = 0 WHERE row_id = 0")
        except OperationalError:
            process.send_signal(signal.SIGCONT)
            time.sleep(0.3)
        else:
            return


def test_a_leader_that_is_stopped_past_its_lease_and_goes_on(elected: list[Arena]) -> None:
    def scenario(arena: Arena) -> None:
        with arena.beat() as one, arena.beat() as two:
            for _ in range(2):
                leader = arena.leader([one, two])
                standby = two if leader is one else one
                stopped_between_transactions(arena, leader)
                arena.wait_for(20, by=standby.pid)
                leader.send_signal(signal.SIGCONT)
                time.sleep(1)
        check(arena, every=1, may_repeat=20)

    everywhere(elected, scenario)


def test_two_that_both_believe_they_lead(arenas: list[Arena]) -> None:
    def scenario(arena: Arena) -> None:
        with arena.beat(FAULTS_LEADER="") as one, arena.beat(FAULTS_LEADER="") as two:
            arena.wait_for(80)
            assert {line["pid"] for line in arena.sent()} <= {one.pid, two.pid}
            one.kill()
            arena.wait_for(60, by=two.pid)
        check(arena, every=1, may_repeat=10)

    everywhere(arenas, scenario)


KILL = {
    "postgresql": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    "mariadb": "SELECT CONCAT('KILL ', id) FROM information_schema.processlist"
    " WHERE db = DATABASE() AND id <> CONNECTION_ID()",
}


def test_a_connection_that_the_server_ends(arenas: list[Arena]) -> None:
    def scenario(arena: Arena) -> None:
        if arena.alias not in KILL:
            return
        with arena.beat() as one, arena.beat() as two:
            for _ in range(4):
                arena.leader([one, two])
                for (statement,) in arena.sql(KILL[arena.alias]):
                    if arena.alias == "mariadb":
                        arena.sql(statement)
                arena.wait_for(20)
            assert (one.poll(), two.poll()) == (None, None)
        check(arena, every=1, may_repeat=20)

    everywhere(arenas, scenario)


def test_a_random_life(elected: list[Arena]) -> None:
    def scenario(arena: Arena) -> None:
        chance = random.Random(f"{SEED}{arena.alias}")
        deaths = 0
        with ExitStack() as stack:
            beats: list[Any] = []
            until = time.monotonic() + 15
            while time.monotonic() < until:
                act = chance.choice(["start", "start", "kill", "term", "stop"]) if beats else "start"
                if act == "start" and len(beats) < 3:
                    beats.append(stack.enter_context(arena.beat()))
                elif act != "start":
                    process = beats.pop(chance.randrange(len(beats)))
                    signals = {"kill": signal.SIGKILL, "term": signal.SIGTERM, "stop": signal.SIGSTOP}
                    process.send_signal(signals[act])
                    deaths += act != "term"
                    if act == "stop":
                        time.sleep(chance.uniform(0, 5))
                        process.send_signal(signal.SIGCONT)
                        beats.append(process)
                time.sleep(chance.uniform(0.5, 4))
            if not beats:
                stack.enter_context(arena.beat())
            arena.wait_for(100)
        check(arena, every=1, may_repeat=10 * deaths)

    everywhere(elected, scenario)


def jumped(beat: subprocess.Popen[bytes], clock: Path, seconds: float) -> None:
    """Move a Beat's clock."""
    clock.write_text(str(seconds))
    beat.send_signal(signal.SIGUSR1)


@pytest.mark.parametrize("hours", [1, -1], ids=["forward", "back"])
def test_a_clock_that_jumps(arenas: list[Arena], hours: int) -> None:
    def scenario(arena: Arena) -> None:
        arena.apply(
            "  often: {task: shop.tasks.heartbeat, every: 1s}\n  minutely: {task: shop.tasks.heartbeat, every: 1m}\n"
            f"removed: [{REMOVED}]\n"
        )
        clock = arena.project.root / "clock"
        with arena.beat(FAULTS_CLOCK=str(clock)) as beat:
            arena.wait_for(3)
            for sign in (hours, -hours):
                jumped(beat, clock, sign * 3600)
                if sign > 0:
                    arena.wait_for(3)
                else:
                    # What was sent by a clock that was ahead is not due again.
                    arena.wait_until_quiet(4)
            assert beat.poll() is None
        ids = [line["id"] for line in arena.sent()]
        assert len(set(ids)) == len(ids)

    everywhere(arenas, scenario)


#: Seven seconds before Berlin's clock goes from two to three, and from three to two: the minutes from two to three
#: have been then, and a crontab knows no second of them.
CLOCK_CHANGES = {
    "2027-03-28T00:59:53": ["minutely 01:00", "three 01:00"],
    "2027-10-31T00:59:53": [],
}


@pytest.mark.parametrize(("begin", "others"), CLOCK_CHANGES.items(), ids=["spring", "autumn"])
def test_a_change_of_the_clock(arenas: list[Arena], begin: str, others: list[str]) -> None:
    def scenario(arena: Arena) -> None:
        arena.apply(
            "  often: {task: shop.tasks.heartbeat, every: 1s, missed_runs: all}\n"
            '  minutely: {task: shop.tasks.heartbeat, crontab: "* * * * *", timezone: Europe/Berlin}\n'
            '  three: {task: shop.tasks.heartbeat, crontab: "0 3 * * *", timezone: Europe/Berlin}\n'
            f"removed: [{REMOVED}]\n"
        )
        arena.sql(f"UPDATE django_celery_beat_periodictask SET last_run_at = '{begin[:10]} 00:59:50'")
        with arena.beat(FAULTS_NOW=f"{begin}+00:00"):
            arena.wait_until(lambda: len([line for line in arena.sent() if line["name"] == "often"]) > 12)
        ticks = [(line["name"], datetime.fromisoformat(line["tick"][:19])) for line in arena.sent()]
        often = [tick for name, tick in ticks if name == "often"]
        assert {later - earlier for earlier, later in pairwise(often)} == {timedelta(seconds=1)}
        assert sorted(f"{name} {tick:%H:%M}" for name, tick in ticks if name != "often") == others, arena.logs()

    everywhere(arenas, scenario)
