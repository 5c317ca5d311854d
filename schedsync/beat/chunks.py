"""Waits once for the broker after many messages, instead of once after each.

Redis gets them in one pipeline, by kombu's batches. RabbitMQ has no batches in kombu: there the publisher confirms of a
channel are counted here (https://www.rabbitmq.com/docs/confirms): the broker numbers the messages of a channel from 1,
and acknowledges or refuses each number, or all numbers up to one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from typing import Any, Protocol

import amqp
from amqp.exceptions import MessageNacked

#: The number of messages after which Beat waits for the broker.
CHUNK = 200
#: Seconds after which a chunk ends early, so that the lease is renewed and a pause is seen in time.
LONGEST = 0.25


class Receipts(Protocol):
    """Numbers, from 1 on, of all that is sent in a chunk: of messages for RabbitMQ, of commands for Redis."""

    @property
    def last(self) -> int:
        """The number of the last one; 0 if there is none."""
        ...

    @property
    def refused(self) -> Set[int]:
        """The numbers that the broker refused."""
        ...

    def commands(self, numbers: range) -> Sequence[tuple[Any, ...]]:
        """Return the commands of Redis with these numbers; none for RabbitMQ."""
        ...


class _Pipeline:
    """The commands of Redis that one of kombu's batches holds."""

    refused: Set[int] = frozenset()

    def __init__(self, batch: Any) -> None:
        self._batch = batch

    @property
    def _stack(self) -> Sequence[Any]:
        session = self._batch.state.session
        return () if session is None else session.pipeline.command_stack

    @property
    def last(self) -> int:
        return len(self._stack)

    def commands(self, numbers: range) -> Sequence[tuple[Any, ...]]:
        return [command for command, _ in self._stack[numbers.start - 1 : numbers.stop - 1]]


class Confirms:
    """The confirms of one AMQP channel: takes the place of its ``basic_publish``, as py-amqp's own confirms do."""

    def __init__(self, channel: Any) -> None:
        self.last = 0
        self.refused: set[int] = set()
        self._channel = channel
        self._open: set[int] = set()
        self._waits = True
        self._channel.confirm_select()
        self._channel.events["basic_ack"].add(self._acknowledged)
        self._channel.events["basic_nack"].add(self._nacked)
        self._channel.basic_publish = self._publish
        # Else py-amqp looks before each message whether RabbitMQ blocks it: what RabbitMQ says is read while waiting.
        properties = channel.connection.client_properties
        capabilities = {**properties.get("capabilities", {}), "connection.blocked": False}
        channel.connection.client_properties = {**properties, "capabilities": capabilities}

    def _publish(self, *args: Any, **kwargs: Any) -> Any:
        result = type(self._channel).basic_publish(self._channel, *args, **kwargs)
        self.last += 1
        self._open.add(self.last)
        if self._waits:
            self.wait()
            if self.last in self.refused:
                raise MessageNacked
        return result

    def _acknowledged(self, number: int, multiple: bool) -> None:
        self._open -= {each for each in self._open if each < number} if multiple else set()
        self._open.discard(number)

    def _nacked(self, number: int, multiple: bool) -> None:
        self.refused |= {each for each in self._open if each == number or (multiple and each < number)}
        self._acknowledged(number, multiple)

    def commands(self, numbers: range) -> Sequence[tuple[Any, ...]]:  # noqa: ARG002
        """Return nothing: RabbitMQ has no commands of Redis."""
        return ()

    def wait(self) -> None:
        """Wait until each message is confirmed or refused; raises what ends the channel or the connection."""
        while self._open:
            self._channel.connection.drain_events()

    @contextmanager
    def together(self) -> Iterator[Receipts]:
        """Wait at the end of the block only."""
        self.refused.clear()
        self._waits = False
        try:
            yield self
            self.wait()
        finally:
            self._waits = True


def confirms_of(producer: Any) -> Confirms | None:
    """Return the confirms of a producer's channel; None if it is no AMQP channel, or sends without confirms."""
    channel = producer.channel
    wanted = isinstance(channel, amqp.Channel) and channel.connection.confirm_publish
    return Confirms(channel) if wanted else None


def waits_once(producer: Any, confirms: Confirms | None) -> bool:
    """Say whether messages can be sent in chunks: to RabbitMQ with confirms, to Redis by kombu 5.7 without retries."""
    return confirms is not None or bool(getattr(producer, "supports_batch_publish", False))


@contextmanager
def together(producer: Any, confirms: Confirms | None) -> Iterator[Receipts]:
    """Send what the block publishes together, and wait for the broker at its end.

    Raises BatchPublishError, or an error of AMQP, if it is not known which messages have arrived.
    """
    if confirms is not None:
        with confirms.together() as receipts:
            yield receipts
        return
    # The size counts commands of Redis, of which one message may need several: only the end of the block sends.
    with producer.batch(max_size=sys.maxsize) as batch:
        yield _Pipeline(batch)
