"""A Redis that refuses some commands of a pipeline, or ends the connection in the middle of one."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings

from tests.beat.many import Many, once
from tests.beat.test_cuts import prebuilt
from tests.faults.test_outages import Redis

pytestmark = pytest.mark.one_database("postgresql")
__all__ = ["prebuilt"]
COUNT = 401
AT_MOST_ONCE = [7, 199, 400]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A Redis of these tests alone: its memory and its users are changed."""
    import redis

    if "redis" not in settings.BROKERS:
        pytest.skip("no Redis on this machine")
    made = Redis(tmp_path_factory.mktemp("redis"))
    made.start()
    with redis.Redis.from_url(made.url) as client:
        until = time.monotonic() + 60
        while True:
            try:
                client.ping()
                break
            except redis.ConnectionError:
                assert time.monotonic() < until, "no Redis came up"
                time.sleep(0.05)
    yield made
    made.stop()


@pytest.fixture
def client(server: Redis) -> Iterator[Any]:
    import redis

    with redis.Redis.from_url(server.url) as made:
        yield made
        made.config_set("maxmemory", 0)


@pytest.fixture
def make(server: Redis, using: str, clock: Any, request: pytest.FixtureRequest) -> Callable[..., Many]:
    def made(count: int = COUNT, **more: Any) -> Many:
        many = Many(server.url, using, count, **more)
        request.addfinalizer(many.close)
        assert many.beat.sender.ready()
        return many

    return made


def fail_twice(many: Many, clock: Any, prebuilt: list[int], fail: Callable[[], None], mend: Callable[[], None]) -> None:
    """Let Redis fail at a tick whose messages Celery builds, and at one whose are prebuilt; no tick is lost."""
    fail()
    many.run(clock, once(mend))
    many.run(clock)
    prebuilt.clear()
    fail()
    many.run(clock, once(mend, after=2))
    assert sum(prebuilt) > 0
    many.check()


def test_a_key_of_another_type_loses_no_tick(
    make: Callable[..., Many], client: Any, clock: Any, prebuilt: list[int]
) -> None:
    many = make(at_most_once=AT_MOST_ONCE, queues=3)
    client.set(many.queues[1], "no list")
    many.run(clock, once(lambda: client.delete(many.queues[1])))
    many.run(clock)
    many.read()
    prebuilt.clear()
    client.set(many.queues[1], "no list")
    many.run(clock, once(lambda: client.delete(many.queues[1]), after=2))
    assert sum(prebuilt) > 0
    many.check()


@pytest.mark.parametrize("room", [1, 50_000, 200_000, 400_000])
def test_memory_that_runs_out_loses_no_tick(
    make: Callable[..., Many], client: Any, clock: Any, prebuilt: list[int], room: int
) -> None:
    many = make(at_most_once=AT_MOST_ONCE, queues=2)

    def fill() -> None:
        client.config_set("maxmemory", client.info("memory")["used_memory"] + room)

    def give() -> None:
        client.config_set("maxmemory", 0)

    fail_twice(many, clock, prebuilt, fill, give)


def test_a_user_who_may_not_write_to_one_queue_loses_no_tick(
    make: Callable[..., Many], server: Redis, client: Any, clock: Any, prebuilt: list[int]
) -> None:
    url = server.url.replace("//", "//beat:secret@")
    client.acl_setuser("beat", enabled=True, passwords=["+secret"], keys=["*"], commands=["+@all"], reset=True)
    many = make(at_most_once=AT_MOST_ONCE, queues=3, beat_url=url)

    def forbid() -> None:
        keys = [many.queues[0], many.queues[2], "_kombu*"]
        client.acl_setuser("beat", enabled=True, passwords=["+secret"], keys=keys, commands=["+@all"], reset=True)

    def allow() -> None:
        client.acl_setuser("beat", enabled=True, keys=["*"])

    fail_twice(many, clock, prebuilt, forbid, allow)


@pytest.mark.parametrize("at", [20, 5_000, 90_000])
def test_a_client_that_is_killed_loses_no_tick(
    make: Callable[..., Many], client: Any, clock: Any, prebuilt: list[int], at: int
) -> None:
    many = make(at_most_once=AT_MOST_ONCE)
    killed = 0

    def kill(_: socket.socket, to_redis: socket.socket) -> None:
        nonlocal killed
        killed += client.client_kill_filter(addr=":".join(map(str, to_redis.getsockname())))

    many.proxy.instead = kill
    many.proxy.cut_in = at
    many.run(clock)
    many.run(clock)
    prebuilt.clear()
    many.proxy.cut_in = at
    many.run(clock)
    assert (killed, sum(prebuilt) > 0) == (2, True)
    many.check(may_miss=2)


ERRORS = [
    "LOADING Redis is loading the dataset in memory",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "READONLY You can't write against a read only replica.",
    "NOAUTH Authentication required.",
    "TRYAGAIN Multiple keys request during rehashing of slot",
    "ERR max number of clients reached",
    "ERR something else",
]


@pytest.mark.parametrize("error", ERRORS, ids=[error.split(" ")[0] + error[-5:] for error in ERRORS])
def test_one_answer_that_is_an_error_loses_no_tick(
    make: Callable[..., Many], clock: Any, prebuilt: list[int], error: str
) -> None:
    """The proxy makes the error of an answer: the message has arrived, so no schedule here is one of at most once."""
    many = make(count=201, queues=3)
    answers = many.proxy.answer = Answers(error)
    answers.left = 57
    many.run(clock)
    many.run(clock)
    prebuilt.clear()
    answers.left = 2
    many.run(clock)
    assert (answers.left, sum(prebuilt) > 0) == (0, True)
    many.check()


class Answers:
    """Passes answers of Redis on; of the counts among them, the one with the number ``left`` becomes an error."""

    def __init__(self, error: str) -> None:
        self._error = f"-{error}\r\n".encode()
        self.left = 0

    def __call__(self, data: bytes) -> bytes:
        def changed(match: re.Match[bytes]) -> bytes:
            if self.left <= 0:
                return match[0]
            self.left -= 1
            return match[0] if self.left else self._error

        return re.sub(rb":\d+\r\n", changed, data)
