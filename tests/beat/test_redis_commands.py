"""Commands that go to Redis by one write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from schedsync.beat.redis_commands import answers
from tests import settings

pytestmark = pytest.mark.one_database
LIST, OTHER = "schedsync-test-commands", "schedsync-test-other"


@pytest.fixture
def client() -> Iterator[Any]:
    if "redis" not in settings.BROKERS:
        pytest.skip("no Redis")
    client = redis.Redis.from_url(settings.BROKERS["redis"], retry=None, max_connections=1)
    client.delete(LIST, OTHER)
    yield client
    client.delete(LIST, OTHER)
    client.close()


def test_an_error_of_one_command_hides_no_other_answer(client: Any) -> None:
    client.set(OTHER, "no list")

    first, second, third = answers(
        client, [("LPUSH", LIST, *["x" * 10_000] * 50), ("LPUSH", OTHER, "y"), ("PEXPIRE", LIST, 60_000)]
    )

    assert (first, third) == (50, 1)
    assert isinstance(second, ResponseError)
    # What comes next gets its own answer.
    assert client.llen(LIST) == 50


def test_a_broken_connection_is_closed_and_nothing_is_sent_twice(client: Any) -> None:
    with pytest.raises(RedisConnectionError):
        answers(client, [("LPUSH", LIST, "x"), ("CLIENT", "KILL", "ID", client.client_id(), "SKIPME", "no"), ("PING",)])

    assert client.llen(LIST) == 1
    assert answers(client, [("PING",)]) == [b"PONG"]
