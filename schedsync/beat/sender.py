"""Sends the messages of a batch to the broker, and says what became of each of them."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from itertools import takewhile
from typing import Any

from amqp.exceptions import AMQPError, ContentTooLarge, IrrecoverableChannelError, MessageNacked
from celery import Celery
from celery import _state as _celery_state
from kombu.exceptions import EncodeError, KombuError, OperationalError

from schedsync.beat.chunks import CHUNK, LONGEST, Confirms, confirms_of, together, waits_once
from schedsync.beat.failures import Failures, reason_of
from schedsync.beat.message import Message

logger = logging.getLogger(__name__)

#: Errors that a message meets at every attempt: its exchange is missing or is of another kind, its queue is forbidden
#: to this user, its body cannot be encoded or is too large.
_ITS_OWN = (KeyError, EncodeError, IrrecoverableChannelError, ContentTooLarge)
#: Seconds to listen to a connection before it is used.
_GLANCE = 0.001


class Fate(Enum):
    """What became of a message: it is done with, refused for now by a broker that answers, or possibly lost."""

    DONE = "done"
    REFUSED = "refused"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Sent:
    """The messages that are done with, those that the broker refused for now, and those that are left.

    ``unsure`` says that the connection broke at the first of those left: the broker may have got it.
    """

    done: Sequence[Message]
    refused: Sequence[Message] = ()
    left: Sequence[Message] = ()
    unsure: bool = False


# The stubs of Celery leave this module out.
_state: Any = _celery_state


@contextmanager
def _without_results() -> Iterator[None]:
    """Send without the result backend: Redis's would subscribe to each result, and wait long while it is away."""
    before = _state.task_join_will_block()
    _state._set_task_join_will_block(True)
    try:
        yield
    finally:
        _state._set_task_join_will_block(before)


class Sender:
    """Its own connection to the broker, on which no attempt takes long: a tick can wait, but Beat must not hang.

    ``patience`` is in seconds, and bounds the wait for an answer: RabbitMQ gives none while memory or disk run out.
    ``trouble`` says why the broker cannot be reached, or is empty. ``last_tick`` is the tick of the last message that
    was sent, and ``last_late`` how many seconds late it was.
    """

    def __init__(self, app: Celery, patience: float) -> None:
        self._app: Any = app
        self._patience = patience
        self._connection: Any = None
        self._producer: Any = None
        self._confirms: Confirms | None = None
        self.trouble = ""
        self.last_tick: datetime | None = None
        self.last_late: float | None = None
        self.failures = Failures()
        # The ids of rows whose message broke a connection, and was not sent since.
        self._broke_at: set[int] = set()
        # The ids of rows in a chunk of which it is not known what has arrived: each is sent once more, alone.
        self._alone: set[int] = set()

    def ready(self) -> bool:
        """Connect if needed; returns whether the broker can be reached."""
        try:
            if self._connection is not None and not self._is_alive():
                self._drop()
            if self._connection is None:
                self._connection = self._connect()
            self._connection.ensure_connection(max_retries=1, interval_start=0)
            if (connected := getattr(self._connection.connection, "sock", None)) is not None:
                connected.settimeout(self._patience)
            if self._producer is None:
                self._producer = self._app.amqp.Producer(self._connection, auto_declare=False)
                self._confirms = confirms_of(self._producer)
        except Exception as error:
            # With any error, such as a refused login, nothing can be sent now.
            self._down(error)
            return False
        if self.trouble:
            logger.warning("the broker is back")
        self.trouble = ""
        return True

    def _connect(self) -> Any:
        connection = self._app.connection_for_write()
        by_driver: dict[str, dict[str, Any]] = {
            # Without confirms a message for a broker that has gone away is lost silently.
            "amqp": {"confirm_publish": True},
            "redis": {"socket_timeout": self._patience},
        }
        options = by_driver.get(connection.transport.driver_type, {})
        connection.transport_options = {**options, **(connection.transport_options or {})}
        return connection

    def _is_alive(self) -> bool:
        """Read what RabbitMQ has sent: only then it is noticed that it has closed an idle connection."""
        if not (self._connection.connected and self._connection.supports_heartbeats):
            return True
        try:
            self._connection.drain_events(timeout=_GLANCE)
        except socket.timeout:  # noqa: UP041 - on Python 3.10 it is no TimeoutError
            return True
        except Exception as error:
            logger.info("the broker has closed the connection: %s", error)
            return False
        return True

    def send(
        self, messages: Sequence[Message], publish: Callable[[Message, Any], Any], go_on: Callable[[], bool]
    ) -> Sent:
        """Send messages in order, while ``go_on`` returns True; ``publish`` sends one by a producer.

        Where the broker can be waited for once for many messages, they are sent in chunks. A message that can never be
        sent is logged, as stock Beat does, and is done with.
        """
        done: list[Message] = []
        refused: list[Message] = []
        at = 0
        with _without_results():
            while at < len(messages):
                if self._producer is None or not go_on():
                    return Sent(done, refused, messages[at:])
                chunk = self._chunk(messages[at : at + CHUNK])
                fates = self._publish_chunk(chunk, publish, is_first=not refused)
                for message, fate in zip(chunk, fates, strict=False):
                    if fate is Fate.BROKEN:
                        return Sent(done, refused, messages[at:], unsure=True)
                    (refused if fate is Fate.REFUSED else done).append(message)
                    at += 1
        return Sent(done, refused)

    def _chunk(self, messages: Sequence[Message]) -> Sequence[Message]:
        """Return the first messages that are sent together: of those that must go alone, one."""
        if not waits_once(self._producer, self._confirms):
            return messages[:1]
        return list(takewhile(lambda message: not self._goes_alone(message), messages)) or messages[:1]

    def _goes_alone(self, message: Message) -> bool:
        return message.loaded.at_most_once or message.row_id in self._alone

    def _publish_chunk(
        self, chunk: Sequence[Message], publish: Callable[[Message, Any], Any], *, is_first: bool
    ) -> list[Fate]:
        """Send a chunk; returns the fates of its first messages: those after an error are sent by the next chunk."""
        if len(chunk) == 1:
            return [self._publish(chunk[0], publish, is_first=is_first)]
        numbers: list[range] = []
        failure: Exception | None = None
        until = time.monotonic() + LONGEST
        try:
            # An error that left the block would discard what is buffered.
            with together(self._producer, self._confirms) as receipts:
                while failure is None and len(numbers) < len(chunk) and time.monotonic() < until:
                    before = receipts.last
                    try:
                        publish(chunk[len(numbers)], self._producer)
                    except Exception as error:
                        failure = error
                    else:
                        numbers.append(range(before + 1, receipts.last + 1))
        except Exception as error:
            return self._lost(chunk, error)
        fates = [
            self._fate_of(message, not receipts.refused.isdisjoint(own), is_first=is_first)
            for message, own in zip(chunk, numbers, strict=False)
        ]
        if failure is not None:
            fates.append(self._failed(chunk[len(fates)], failure, is_first=is_first))
        return fates

    def _lost(self, chunk: Sequence[Message], error: Exception) -> list[Fate]:
        """Note that nobody knows what of a chunk has arrived: each message is sent again alone, under its id."""
        self._alone |= {message.row_id for message in chunk}
        # Kombu's own class hides the error of the transport.
        cause = (error.__cause__ if isinstance(error, KombuError) else None) or error
        if self._fate(cause) is Fate.BROKEN:
            self._down(error)
            return [Fate.BROKEN]
        logger.warning("the broker refuses one of %d messages; each is sent again: %r", len(chunk), cause)
        if isinstance(cause, AMQPError):
            self._drop()
            self.ready()
        return []

    def _publish(self, message: Message, publish: Callable[[Message, Any], Any], *, is_first: bool) -> Fate:
        self._alone.discard(message.row_id)
        try:
            publish(message, self._producer)
        except Exception as error:
            return self._failed(message, error, is_first=is_first)
        return self._arrived(message)

    def _fate_of(self, message: Message, is_refused: bool, *, is_first: bool) -> Fate:
        return self._failed(message, MessageNacked(), is_first=is_first) if is_refused else self._arrived(message)

    def _arrived(self, message: Message) -> Fate:
        self._broke_at.discard(message.row_id)
        self.failures.succeeded(message.row_id)
        self.last_tick = message.tick
        self.last_late = (datetime.now(timezone.utc) - message.tick).total_seconds()
        return Fate.DONE

    def _failed(self, message: Message, error: Exception, *, is_first: bool) -> Fate:
        fate, row_id = self._fate(error), message.row_id
        broke_again = fate is Fate.BROKEN and row_id in self._broke_at
        if fate is Fate.BROKEN and not broke_again:
            self._broke_at.add(row_id)
            self._down(error)
            return fate
        count = self.failures.note(message, error, given_up=fate is Fate.DONE)
        if fate is Fate.DONE and count:
            text = "`%s` cannot be sent" if count == 1 else "`%s` cannot be sent, %d times in a row"
            words = (message.name, count)[: min(count, 2)]
            logger.error(text, *words, exc_info=error, extra={"schedule": message.name, "failures": count})
        elif fate is not Fate.DONE and is_first and count:
            text = "the broker refuses `%s`, and perhaps others, which are tried again later: %r"
            logger.error(text, message.name, error, extra={"schedule": message.name})
        cause = error.__cause__ or error
        if broke_again or (isinstance(cause, AMQPError) and not isinstance(cause, MessageNacked)):
            # RabbitMQ closes the channel, or the connection, when it refuses a message with another answer.
            self._drop()
            self.ready()
        # This message breaks every connection to a broker that is there: others must not wait for it.
        return Fate.REFUSED if broke_again else fate

    def _fate(self, error: BaseException) -> Fate:
        if isinstance(error, OperationalError) and error.__cause__ is not None:
            # Kombu's own class hides the error of the transport.
            return self._fate(error.__cause__)
        if isinstance(error, _ITS_OWN):
            return Fate.DONE
        if isinstance(error, (MessageNacked, *self._connection.channel_errors)):
            return Fate.REFUSED
        lost = (*self._connection.connection_errors, OperationalError, OSError)
        return Fate.BROKEN if isinstance(error, lost) else Fate.DONE

    def _down(self, error: Exception) -> None:
        if not self.trouble:
            logger.error("the broker cannot be reached, ticks wait for it: %s", error)
        self.trouble = reason_of(error)
        self._drop()

    def close(self) -> None:
        """Give the connection back."""
        self._let_go("release")

    def _drop(self) -> None:
        """Forget the connection without closing it properly: the broker may not answer."""
        self._let_go("collect")

    def _let_go(self, how: str) -> None:
        connection, self._connection, self._producer, self._confirms = self._connection, None, None, None
        if connection is not None:
            try:
                getattr(connection, how)()
            except Exception as error:
                logger.debug("closing the broker's connection: %s", error)
