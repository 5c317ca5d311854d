"""Sends the messages of a batch to the broker, and says which of them it has."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from amqp.exceptions import AMQPError, NotFound, PreconditionFailed
from celery import Celery
from celery import _state as _celery_state
from kombu.exceptions import EncodeError, OperationalError

from schedsync.beat.entry import Message

logger = logging.getLogger(__name__)


#: What a message is refused for: an exchange or a queue that is not there, or is another one than was said.
_OF_THE_MESSAGE = (KeyError, NotFound, PreconditionFailed, EncodeError)


@dataclass(frozen=True, slots=True)
class Sent:
    """How many messages are done with, and whether the one after them failed: the broker may have it or not."""

    count: int
    failed: bool = False


# The stubs of Celery leave this module out.
_state: Any = _celery_state


@contextmanager
def _without_results() -> Iterator[None]:
    """Keep the result backend out of it: Redis's would subscribe to each result, and wait long where it is away."""
    before = _state.task_join_will_block()
    _state._set_task_join_will_block(True)
    try:
        yield
    finally:
        _state._set_task_join_will_block(before)


class Sender:
    """A connection to the broker of its own, on which nothing is tried for long: a tick waits better than it hangs."""

    def __init__(self, app: Celery) -> None:
        self._app: Any = app
        self._connection: Any = None
        self._producer: Any = None
        self._was_down = False

    def ready(self) -> bool:
        """Connect where it is needed; returns whether the broker can be reached."""
        try:
            if self._connection is None:
                self._connection = self._connect()
            self._connection.ensure_connection(max_retries=1, interval_start=0)
            if self._producer is None:
                self._producer = self._app.amqp.Producer(self._connection, auto_declare=False)
        except Exception as error:
            # Whatever it is, such as a login that is refused: nothing can be sent now.
            self._down(error)
            return False
        if self._was_down:
            logger.warning("the broker is back")
        self._was_down = False
        return True

    def _connect(self) -> Any:
        connection = self._app.connection_for_write()
        if connection.transport_cls in ("amqp", "amqps", "pyamqp"):
            # Without confirms a message for a broker that has gone away is lost without a word.
            connection.transport_options = {"confirm_publish": True, **(connection.transport_options or {})}
        return connection

    def send(self, messages: Sequence[Message], publish: Callable[..., Any], go_on: Callable[[], bool]) -> Sent:
        """Send messages by ``publish``, in order, for as long as ``go_on`` says.

        A message that cannot be sent at all is done with too: it is logged, as stock Beat does. What is left when the
        broker fails waits for it.
        """
        with _without_results():
            for number, message in enumerate(messages):
                if not go_on():
                    return Sent(number)
                try:
                    publish(message, producer=self._producer, advance=False)
                except Exception as error:
                    if self._is_down(error):
                        self._down(error)
                        return Sent(number, failed=True)
                    logger.exception("`%s` cannot be sent", message.name, extra={"schedule": message.name})
                    if isinstance(error, AMQPError) and not self._again():
                        return Sent(number + 1)
        return Sent(len(messages))

    def _again(self) -> bool:
        """Connect anew: what RabbitMQ refuses closes the channel."""
        self.close()
        return self.ready()

    def _is_down(self, error: Exception) -> bool:
        if isinstance(error, _OF_THE_MESSAGE):
            return False
        known = (*self._connection.connection_errors, *self._connection.channel_errors, OperationalError, OSError)
        return isinstance(error, known)

    def _down(self, error: Exception) -> None:
        if not self._was_down:
            logger.error("the broker cannot be reached, ticks wait for it: %s", error)
        self._was_down = True
        self.close()

    def close(self) -> None:
        """Give the connection back."""
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            try:
                connection.release()
            except Exception as error:
                logger.debug("closing the broker's connection: %s", error)
