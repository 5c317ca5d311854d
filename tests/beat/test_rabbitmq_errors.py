"""A RabbitMQ that refuses, closes the channel or the connection, or reads nothing, in the middle of a chunk."""

from __future__ import annotations

import socket
import struct
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from amqp import spec
from django.conf import settings
from django_celery_beat.models import PeriodicTask

from tests.beat.many import Many, once

pytestmark = pytest.mark.one_database("postgresql")
COUNT = 201
AT_MOST_ONCE = [7, 199]


@pytest.fixture
def make(using: str, clock: Any, request: pytest.FixtureRequest) -> Callable[..., Many]:
    def made(count: int = COUNT, **more: Any) -> Many:
        if "rabbitmq" not in settings.BROKERS:
            pytest.skip("no RabbitMQ on this machine")
        many = Many(settings.BROKERS["rabbitmq"], using, count, **more)
        request.addfinalizer(many.close)
        assert many.beat.sender.ready()
        return many

    return made


@pytest.mark.parametrize("room", [20, 90])
def test_a_full_queue_loses_no_tick_and_repeats_none(make: Callable[..., Many], clock: Any, room: int) -> None:
    """Refused messages are sent again when the queue has room; no other message is."""
    full = {"x-max-length": room, "x-overflow": "reject-publish"}
    many = make(at_most_once=AT_MOST_ONCE, queues=2, arguments={0: full})
    for _ in range(2):
        many.run(clock, many.read)
    many.check()
    assert len(many.arrived) == 2 * COUNT


@pytest.mark.parametrize(("reason", "number"), [("missing", 0), ("forbidden", 3), ("missing", 130), ("forbidden", 199)])
def test_an_exchange_that_takes_nothing_costs_no_other_message(
    make: Callable[..., Many], clock: Any, reason: str, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Only its own messages are given up, however late RabbitMQ closes the channel for it."""
    many = make(at_most_once=AT_MOST_ONCE)
    exchange = f"schedsync-{uuid.uuid4()}"
    names = [many.names[number], many.names[number + 1]]
    rows = PeriodicTask.objects.using(many.using).filter(name__in=names)
    with many.beat.app.connection_for_write(many.url) as connection:
        channel = connection.channel()
        if reason == "forbidden":
            # An exchange that is internal takes no message of a client: 403.
            values = (0, exchange, "fanout", False, False, False, True, False, {})
            channel.send_method(spec.Exchange.Declare, "BssbbbbbF", values, wait=spec.Exchange.DeclareOk)
        rows.update(queue=None, exchange=exchange, routing_key="x")
        many.run(clock)
        many.read()
        many.run(clock)
        # It is known by now which of them fail, and they are sent alone.
        again = Counter(message.name for message in many.read())
        if reason == "forbidden":
            channel.exchange_delete(exchange)
    assert set(again.values()) == {1}
    assert "the broker cannot be reached" not in caplog.text
    many.check(never=names)


def frame(name: tuple[int, int], code: int, channel: int) -> bytes:
    """Return the frame by which a broker closes a channel or a connection."""
    payload = struct.pack(">HHHB", *name, code, 4) + b"gone" + struct.pack(">HH", 0, 0)
    return struct.pack(">BHI", 1, channel, len(payload)) + payload + b"\xce"


CLOSES = {
    "a connection that is closed by force": frame((10, 50), 320, 0),
    "a connection with an internal error": frame((10, 50), 541, 0),
    "a channel that fails for good": frame((20, 40), 406, 1),
    "a channel that fails for now": frame((20, 40), 405, 1),
    "a channel whose queue is away": frame((20, 40), 404, 1),
}


@pytest.mark.parametrize("close", CLOSES)
def test_a_channel_or_connection_that_the_broker_closes_loses_no_tick(
    make: Callable[..., Many], clock: Any, close: str
) -> None:
    many = make()

    def inject(client: socket.socket, _: socket.socket) -> None:
        client.sendall(CLOSES[close])

    many.proxy.instead = inject
    for at in (3_000, 100_000):
        many.proxy.cut_in = at
        many.run(clock)
        assert many.proxy.cut_in is None
    many.check()


def test_a_broker_that_reads_nothing_for_a_while_loses_no_tick(make: Callable[..., Many], clock: Any) -> None:
    """As RabbitMQ does while memory or disk run out; it reads later what the connection has held back."""
    many = make(at_most_once=AT_MOST_ONCE)
    many.be_patient_for(0.3)
    assert many.beat.sender.ready()

    def deaf(*_: Any) -> None:
        many.proxy.is_deaf = True

    def hear() -> None:
        many.proxy.is_deaf = False

    many.proxy.instead = deaf
    many.proxy.cut_in = 30_000
    many.run(clock, once(hear, after=3))
    many.run(clock)
    # The broker may have got each of these when it was waited for in vain.
    many.check(may_miss=2 * len(AT_MOST_ONCE))
