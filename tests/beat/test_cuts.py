"""Connections to real brokers that break at any byte of a batch of any size: no tick is lost, none has two ids."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest
from django.conf import settings

from tests.beat.many import Many, chosen, count_prebuilt, once

pytestmark = pytest.mark.one_database("postgresql")
#: Around the ends of a prebuilt chunk, of a chunk, and of a batch.
COUNTS = [1, 2, 15, 16, 17, 199, 200, 201, 399, 400, 401, 1000]
BROKERS = ["redis", "rabbitmq"]
SEED = int(os.environ.get("SCHEDSYNC_TEST_SEED", "1"))
#: A message has at least this number of bytes.
LEAST = 600


def stage(request: pytest.FixtureRequest, kind: str, using: str, count: int, **more: Any) -> Many:
    if kind not in settings.BROKERS:
        pytest.skip(f"no {kind} on this machine")
    many = Many(settings.BROKERS[kind], using, count, **more)
    request.addfinalizer(many.close)
    return many


@pytest.fixture
def prebuilt(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The list to which the number of prebuilt messages of each chunk is added."""
    return count_prebuilt(monkeypatch)


@pytest.mark.parametrize("kind", BROKERS)
@pytest.mark.parametrize("count", COUNTS)
def test_a_connection_that_breaks_at_any_byte_loses_nothing(
    request: pytest.FixtureRequest, using: str, clock: Any, prebuilt: list[int], count: int, kind: str
) -> None:
    """At the first tick while Celery builds the messages, at the third where they are built before."""
    chance = random.Random(f"{SEED}{count}{kind}")
    many = stage(request, kind, using, count, at_most_once=chosen(chance, count))
    first, later = chance.sample(["there", "back"], 2)
    assert many.beat.sender.ready()
    cut(many, chance, first)
    many.run(clock)
    assert (many.proxy.cut_in, many.proxy.cut_back_in) == (None, None)
    many.run(clock)
    prebuilt.clear()
    cut(many, chance, later)
    many.run(clock)
    assert (many.proxy.cut_in, many.proxy.cut_back_in) == (None, None)
    if kind == "redis" and count > 16:
        assert sum(prebuilt) > 0
    many.check(may_miss=2)


def cut(many: Many, chance: random.Random, direction: str) -> None:
    """Let the connection break somewhere in the next tick; Redis is asked for a sign of life before."""
    if direction == "there":
        asked = len(b"*1\r\n$4\r\nPING\r\n") if many.is_redis else 0
        many.proxy.cut_in = asked + int(LEAST ** chance.random() * chance.uniform(1, len(many.names)))
    else:
        # RabbitMQ confirms several messages in 21 bytes, and Redis each list in at least 4.
        many.proxy.cut_back_in = chance.randint(8, 11) if many.is_redis else chance.randint(1, 21)


#: A word that the request with a message has, in capital letters.
WORD = {"redis": b"LPUSH", "rabbitmq": b"CALLBACKS"}


@pytest.mark.parametrize("options", [{}, {"retry_on_timeout": True}], ids=["", "retry on timeout"])
@pytest.mark.parametrize("kind", BROKERS)
def test_a_lost_answer_does_not_repeat_what_is_sent_at_most_once(
    request: pytest.FixtureRequest, using: str, clock: Any, kind: str, options: dict[str, Any]
) -> None:
    """Neither where it is lost at each tick, nor where the driver would try again."""
    many = stage(request, kind, using, 3, at_most_once=[0, 2])
    many.beat.app.conf.broker_transport_options = options
    for _ in range(4):
        many.proxy.cut_after = WORD[kind]
        many.run(clock)
        assert many.proxy.cut_after is None
    many.check()


@pytest.mark.parametrize("kind", BROKERS)
def test_a_broker_that_goes_away_before_the_tick_costs_no_message(
    request: pytest.FixtureRequest, using: str, clock: Any, kind: str
) -> None:
    many = stage(request, kind, using, 3, at_most_once=[0, 2])
    many.run(clock)
    many.proxy.down()
    many.run(clock, once(many.proxy.up, after=2))
    many.check()
