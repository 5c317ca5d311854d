"""Sends the messages of a batch to the broker, and says which of them it has."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError

from schedsync.beat.entry import Message

logger = logging.getLogger(__name__)


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
        except (OperationalError, OSError) as error:
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

    def send(self, messages: Sequence[Message], publish: Callable[..., Any], go_on: Callable[[], bool]) -> int:
        """Send messages by ``publish``, in order, for as long as ``go_on`` says; returns how many are done with.

        A message that cannot be sent at all is done with too: it is logged, as stock Beat does. What is left when the
        broker fails waits for it.
        """
        for number, message in enumerate(messages):
            if not go_on():
                return number
            try:
                publish(message, producer=self._producer, advance=False)
            except Exception as error:
                if self._is_down(error):
                    self._down(error)
                    return number
                logger.exception("`%s` cannot be sent", message.name, extra={"schedule": message.name})
        return len(messages)

    def _is_down(self, error: Exception) -> bool:
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
