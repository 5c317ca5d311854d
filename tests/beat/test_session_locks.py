"""Session locks: a standby knows from them that the leader's process is dead, and believes nothing else."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.conf import settings
from django.db import connections
from django.test.utils import CaptureQueriesContext

from schedsync.beat.elections import election_of
from schedsync.beat.glance import Glance
from schedsync.beat.leadership import Leadership
from schedsync.beat.lease_times import LeaseTimes
from schedsync.beat.lease_watch import SECOND_LOOK, LeaseWatch
from schedsync.beat.lock_keeper import LockKeeper
from schedsync.beat.session_locks import NoLock, lock_of
from schedsync.models import LeaderLock, Lease
from tests.beat.ours import Beat
from tests.beat.test_like_stock import TIMINGS, make
from tests.conftest import NOW

#: A lease that no test waits for.
LONG = LeaseTimes(lease=600.0, renew=0.05, retry=0.01)


@dataclass
class Pair:
    """Two Beats that ask for one lease: the first one leads."""

    using: str
    place: str
    leader: Leadership
    standby: Leadership

    @property
    def keeper(self) -> LockKeeper:
        assert self.leader.watch is not None
        return self.leader.watch.keeper

    def looks(self, count: int = 3) -> bool:
        """Let the standby look some times; returns whether it leads then."""
        assert self.standby.watch is not None
        for number in range(count):
            if number:
                time.sleep(SECOND_LOOK)
            self.standby.hurry()
            self.standby.watch.glance.looked_at = 0.0
            self.standby.keep()
        return self.standby.epoch is not None

    def lets_go(self) -> None:
        """Close the lock's connection as the leader's death does, and wait until the server has noticed it."""
        self.keeper.drop()
        watch, until = self.standby.watch, time.monotonic() + 60
        assert watch is not None
        while watch.suspect is None:
            assert time.monotonic() < until, "the server keeps the lock"
            watch.glance.looked_at = 0.0
            watch.look()
        watch.suspect = None

    def kill_session(self) -> None:
        """Close the lock's connection from outside, as an operator or a firewall may."""
        lock: Any = self.keeper.lock
        if self.place == "redis":
            name = f"schedsync:{Lease.objects.using(self.using).get().deployment.hex}:{self.leader.epoch}"
            assert lock._client.pubsub_numsub(name)[0][1] == 1
            lock._client.client_kill_filter(_type="pubsub")
            return
        with connections[self.using].cursor() as cursor:
            if connections[self.using].vendor == "postgresql":
                cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
            else:
                cursor.execute("SELECT IS_USED_LOCK(%s)", [lock._name])
                cursor.execute(f"KILL {cursor.fetchone()[0]}")


def leadership(using: str, leader: str) -> Leadership:
    holder = uuid.uuid4()
    lock = lock_of(leader, using, LONG.retry if leader == "database" else 5)
    if isinstance(lock, NoLock):
        pytest.skip("this SQLite is in memory")
    glance = Glance(using, holder, lock.free, lambda: True)
    return Leadership(
        election_of(leader, using, holder, LeaseTimes() if "redis" in leader else LONG),
        LONG,
        LeaseWatch(glance, LockKeeper(using, lock, lambda _: True)),
    )


@pytest.fixture(params=["database", "redis"])
def pair(request: pytest.FixtureRequest, using: str) -> Iterator[Pair]:
    url = settings.BROKERS.get("redis") if request.param == "redis" else "database"
    if url is None:
        pytest.skip("no Redis on this machine")
    # Django asks for the row of the last change with each look, which `migrate` makes.
    made = Pair(using, request.param, leadership(using, url), leadership(using, url))
    assert made.leader.keep()
    yield made
    for each in (made.leader, made.standby):
        each.resign()


def test_a_dead_leader_is_followed_at_the_second_look(pair: Pair) -> None:
    epoch = pair.leader.epoch
    assert epoch is not None
    assert not pair.looks()
    pair.lets_go()

    assert not pair.looks(1)
    assert not pair.looks(1)
    assert pair.looks(2)
    assert pair.standby.epoch == epoch + 1
    time.sleep(LONG.renew)
    assert not pair.leader.keep()


def test_the_session_that_looks_may_be_the_one_that_has_the_lock(pair: Pair) -> None:
    """As behind a pooler, which gives each transaction another connection."""
    using = pair.using
    if pair.place == "redis" or connections[using].vendor == "sqlite":
        pytest.skip("no pooler gives connections to it")
    name = LeaderLock.objects.using(using).get().name
    take, give = {
        "postgresql": (
            "pg_advisory_lock(hashtextextended(%s, 0))",
            "pg_advisory_unlock(hashtextextended(%s, 0))",
        ),
        "mysql": ("GET_LOCK(%s, 10)", "RELEASE_LOCK(%s)"),
    }[connections[using].vendor]
    pair.lets_go()
    with connections[using].cursor() as cursor:
        cursor.execute(f"SELECT {take}", [name])
        assert not pair.looks()
        cursor.execute(f"SELECT {give}", [name])
    assert pair.looks()


def test_a_leader_that_loses_its_lock_for_a_moment_goes_on(pair: Pair) -> None:
    if pair.place == "database" and connections[pair.using].vendor == "sqlite":
        pytest.skip("a file has no session that could be closed")
    pair.kill_session()
    assert not pair.looks(1)
    time.sleep(LONG.renew)
    assert pair.leader.keep()

    assert not pair.looks()


def test_a_server_that_has_forgotten_its_locks_is_not_believed(pair: Pair) -> None:
    pair.keeper.drop()
    LeaderLock.objects.using(pair.using).update(server="another one")

    assert not pair.looks()


def test_after_a_failure_of_the_database_nobody_is_thought_dead(pair: Pair) -> None:
    pair.keeper.drop()
    pair.standby.lose("the database failed", database_failed=True)

    assert not pair.looks()


def test_a_lock_that_cannot_be_had_leaves_everything_to_the_lease(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    lock: Any = pair.keeper.lock

    def refuse(_: str) -> None:
        raise OSError("too many connections")

    pair.keeper.drop()
    with pytest.MonkeyPatch.context() as patch, caplog.at_level("INFO"):
        patch.setattr(lock, "take", refuse)
        pair.keeper.take(pair.leader.epoch or 0)

    assert LeaderLock.objects.using(pair.using).get().epoch == 0
    assert "too many connections" in caplog.text
    assert not pair.looks()


def test_a_leader_whose_lease_was_taken_needs_no_connection_any_more(pair: Pair) -> None:
    assert pair.keeper.lock.is_ours()
    pair.leader.election.release(pair.leader.epoch or 0)
    assert pair.looks()
    for _ in range(2):
        time.sleep(LONG.renew)
        pair.leader.keep()

    assert not pair.keeper.lock.is_ours()


def test_a_lock_that_says_dead_of_a_leader_that_lives_is_not_trusted_again(
    pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    """As where two servers behind one address count their own connections."""
    pair.standby.epoch = pair.standby.election.acquire(dead=pair.leader.epoch)
    assert pair.standby.epoch is not None
    time.sleep(LONG.renew)
    assert not pair.leader.keep()
    assert "session locks are not trusted for an hour" in caplog.text
    LeaderLock.objects.using(pair.using).update(epoch=pair.standby.epoch)
    pair.keeper.drop()
    assert pair.leader.watch is not None
    for _ in range(3):
        time.sleep(SECOND_LOOK)
        pair.leader.watch.glance.looked_at = 0.0
        assert pair.leader.watch.look()[1] is None


def test_a_standby_that_has_nothing_to_do_asks_one_question_at_a_time(using: str, clock: Any) -> None:
    make(using, "x", {**TIMINGS["each minute"], "last_run_at": NOW})
    leader, standby = Beat(clock), Beat(clock)
    leader.settle()
    standby.settle()
    with CaptureQueriesContext(connections[using]) as queries:
        for _ in range(5):
            standby.scheduler.reloader.poll_now()
            standby.scheduler.leadership.hurry()
            standby.scheduler.step()

    # A busy machine may take so long that its row is due to be written again.
    asked = [query["sql"] for query in queries if "schedsync_beat" not in query["sql"]]
    assert len([sql for sql in asked if "schedsync_applylock" in sql]) == 5
    assert [sql for sql in asked if "schedsync_applylock" not in sql and sql not in {"BEGIN", "COMMIT"}] == []
    assert leader.scheduler.leadership.leads
    assert not standby.scheduler.leadership.leads
