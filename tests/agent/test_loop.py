"""The loop of an agent: it follows its remote, one of several acts, and it ends in good order."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections, transaction

from schedsync.agent.follow import Follow
from schedsync.agent.lease import AgentLease
from schedsync.agent.loop import Loop
from schedsync.agent.observers import Observer
from schedsync.agent.process import Process
from schedsync.agent.reports import Reports
from schedsync.beat.lease_times import LeaseTimes
from schedsync.core.change import Update
from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.core.refusal import Refusal
from schedsync.errors import InvalidSet, Refused, Unavailable
from schedsync.git.mirror import Mirror, open_mirror
from schedsync.git.remote import Remote
from schedsync.models import Lease, SyncRun
from schedsync.planning.outcome import Outcome
from schedsync.usecases.agent import Kept, Turn, Turns
from tests.git.remotes import Origin

ROOT = Path(__file__).parents[2]
ONE = "version: 1\nschedules:\n  one: {task: t, every: 1m}\n"
SHORT = LeaseTimes(lease=1.0, renew=0.2, retry=0.05)


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path / "origin.git")


@pytest.fixture
def mirror(origin: Origin, tmp_path: Path) -> Iterator[Mirror]:
    with open_mirror(Remote(str(origin.root)), tmp_path / "mirror") as opened:
        yield opened


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def running(*follows: Follow, observers: tuple[Observer, ...] = ()) -> Process:
    return Process([Loop(follows, AgentLease(follows[0].turns.kept.using), observers)])


@pytest.mark.one_database
def test_the_loop_applies_what_is_pushed_until_a_signal_comes(
    using: str, origin: Origin, mirror: Mirror, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "schedsync")
    heard: list[tuple[str | None, str | None, str | None]] = []

    def fail(turn: Turn) -> None:
        raise ConnectionError(turn.name)

    def hear(turn: Turn) -> None:
        assert not connections[using].in_atomic_block
        if turn.outcome is not None:
            heard.append((turn.commit, turn.repository, turn.set))

    turns = Turns(Kept(using, settle=0), mirror)
    process = running(Follow(turns, 0.2), observers=(fail, hear))
    [state] = process.states
    pushed = [origin.commit({"schedules/a.yaml": ONE})]

    def push() -> None:
        try:
            until(lambda: state.commit == pushed[0])
            pushed.append(origin.commit({"schedules/a.yaml": ONE + "  two: {task: t, every: 1m}\n"}))
            state.wake.set()
            until(lambda: state.commit == pushed[1])
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=push)
    thread.start()
    process.run()
    thread.join()

    applied = [record.commit for record in caplog.records if record.message.startswith("applied commit")]  # type: ignore[attr-defined]
    assert applied == pushed
    assert heard == [(commit, str(origin.root), "default") for commit in pushed]
    assert [record.exc_info is not None for record in caplog.records if "passed on" in record.message][:1] == [True]
    assert set(SyncRun.objects.using(using).values_list("commit", flat=True)) == set(pushed)
    assert Lease.objects.using(using).get(pk=2).holder is None


def test_of_two_agents_one_acts_and_the_other_one_cannot_write(using: str) -> None:
    first, second = AgentLease(using, SHORT), AgentLease(using, SHORT)
    assert (first.keep(), second.keep()) == (True, False)
    with transaction.atomic(using=using):
        assert (first.fence(), [refusal.code for refusal in second.fence()]) == ((), ["not_acting"])
    # The first one no longer renews its lease, as a process that was stopped.
    until(second.keep)
    with transaction.atomic(using=using):
        assert ([refusal.code for refusal in first.fence()], second.fence()) == (["not_acting"], ())
    second.resign()
    first._leadership.lose("it was taken")
    until(first.keep)
    first.resign()
    assert not Lease.objects.using(using).filter(pk=1).exclude(epoch=0).exists()


@pytest.mark.one_database("postgresql")
def test_a_database_that_is_away_for_a_while_ends_nothing(
    using: str, origin: Origin, mirror: Mirror, caplog: pytest.LogCaptureFixture
) -> None:
    commit = origin.commit({"schedules/a.yaml": ONE})
    lease, turns = AgentLease(using, SHORT), Turns(Kept(using, settle=0), mirror)
    assert lease.keep()
    connection = connections[using]
    before = connection.settings_dict["HOST"]
    connection.close()
    connection.settings_dict["HOST"] = "/nowhere"
    try:
        until(lambda: not lease.keep())
        lease.keep()
        away = turns.turn()
    finally:
        connection.close()
        connection.settings_dict["HOST"] = before

    assert (isinstance(away.problem, Unavailable), away.commit, lease.problem is not None) == (True, None, True)
    assert len([record for record in caplog.records if "does not say which agent acts" in record.message]) == 1
    until(lease.keep)
    assert (turns.turn().commit, lease.problem) == (commit, None)
    lease.resign()


def test_each_event_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "schedsync")
    reports = Reports()
    broken = InvalidSet([Finding("SS120", "unknown key", Location("schedules/a.yaml", 4, 5))])
    gone = Unavailable("the remote is gone")
    edited = Update(name="one", cause="drift")
    turns = [
        Turn("a" * 40, "main", "b" * 40, problem=broken, left=(edited,), held=("two",)),
        Turn("a" * 40, fetch_problem=gone, left=(edited,), held=("two",)),
        Turn("a" * 40, "main", outcome=Outcome(changes=(edited,), unconfirmed=("one",))),
    ]
    for turn in turns:
        reports.add(turn)
        reports.add(Turn(**{**vars_of(turn), "outcome": None}))

    assert [record.message for record in caplog.records] == [
        "commit bbbbbbbbbbbb is not applied: 1 error in the files; schedules/a.yaml:4:5: SS120 unknown key",
        "edited by others, and left so: one",
        "stopped by people, and left so: two",
        "the remote is gone; kept: aaaaaaaaaaaa",
        "the remote is back, at main",
        "applied commit aaaaaaaaaaaa of main: 1 updated",
        "undone edits by others: one",
        "written back by another program: one",
    ]


def test_no_path_and_no_text_of_a_remote_forges_a_line(caplog: pytest.LogCaptureFixture) -> None:
    forged = "a\nERROR forged\x1b[31m\u2028.yaml"
    reports = Reports()
    reports.add(
        Turn("a" * 40, "main", "b" * 40, problem=InvalidSet([Finding("SS120", forged, Location(forged, 4, 5))]))
    )
    reports.add(Turn("a" * 40, fetch_problem=Unavailable(forged)))
    reports.add(Turn("a" * 40, fetch_problem=Refused([Refusal("rewound", forged, forged)])))

    assert len(caplog.records) == 3
    assert [record.message for record in caplog.records if not record.message.isprintable()] == []
    assert all(text.isprintable() for text in caplog.records[0].findings)  # type: ignore[attr-defined]


def vars_of(turn: Turn) -> dict[str, Any]:
    return {name: getattr(turn, name) for name in turn.__slots__}  # type: ignore[attr-defined]


def test_an_agent_goes_on_where_a_killed_one_was_and_ends_in_good_order(origin: Origin, tmp_path: Path) -> None:
    """Real processes on a file of SQLite; the second one finds the lease of the first."""
    environment = os.environ | {
        "SCHEDSYNC_TEST_DATABASES": '{"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "%s"}}'
        % (tmp_path / "db"),
        "DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(tmp_path / "state"),
    }  # fmt: skip
    subprocess.run([sys.executable, "-m", "django", "migrate", "-v0"], check=True, env=environment, cwd=tmp_path)
    words = [sys.executable, "-m", "schedsync", "agent", "--repository", str(origin.root), "--interval", "1s"]
    for number, kind in enumerate((signal.SIGKILL, signal.SIGTERM)):
        commit = origin.commit({"schedules/a.yaml": ONE.replace("1m", f"{number + 1}m")})
        with subprocess.Popen(
            [*words, "--settle", "0"], env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True
        ) as agent:
            assert agent.stderr is not None
            lines = []
            for line in agent.stderr:
                lines.append(line)
                if f"applied commit {commit[:12]} of main" in line:
                    break
            agent.send_signal(kind)
            rest = agent.stderr.read()

        assert any(commit[:12] in line for line in lines), lines
        assert agent.returncode == (0 if kind == signal.SIGTERM else -9), rest


def test_a_signal_in_the_middle_of_a_wait_is_no_deadlock(using: str, mirror: Mirror) -> None:
    process = running(Follow(Turns(Kept(using), mirror), 60.0))
    [loop] = process.loops
    with process._signals():
        with loop._is_ending._cond, loop.wake._cond:
            signal.raise_signal(signal.SIGTERM)

        assert loop._is_ending.wait(30)
        assert loop.wake.wait(30)
