"""Sends the messages of a batch to the broker, and says what became of each of them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import takewhile
from typing import Any

from amqp.exceptions import AMQPError, MessageNacked
from celery import Celery
from celery import _state as _celery_state

from schedsync.beat.broker import Broker, Fate, cause_of
from schedsync.beat.chunks import CHUNK, LONGEST, together, waits_once
from schedsync.beat.failures import Failures
from schedsync.beat.journal import Journal
from schedsync.beat.message import Message
from schedsync.beat.prebuilt import Prebuilt, Push
from schedsync.core.counters import Counters
from schedsync.core.journal import Event
from schedsync.core.masked_errors import error_line, masked_error

logger = logging.getLogger(__name__)


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
def without_results() -> Iterator[None]:
    """Send without the result backend: Redis's would subscribe to each result, and wait long while it is away."""
    before = _state.task_join_will_block()
    _state._set_task_join_will_block(True)
    try:
        yield
    finally:
        _state._set_task_join_will_block(before)


class Sender:
    """Sends by a connection of its own; ``patience`` is in seconds, and bounds the wait for an answer.

    ``last_tick`` is the tick of the last message that was sent, and ``last_late`` how many seconds late it was.
    """

    def __init__(
        self, app: Celery, patience: float, journal: Journal | None = None, counters: Counters | None = None
    ) -> None:
        self._journal = Journal() if journal is None else journal
        # The messages of a chunk that have arrived.
        self._arrived_now: list[Message] = []
        self.broker = Broker(app, patience)
        self.counters = counters or Counters()
        self._prebuilt = Prebuilt(app)
        self.last_tick: datetime | None = None
        self.last_late: float | None = None
        self.failures = Failures()
        # The ids of rows whose message the last call of ``send`` has given up.
        self.given_up: set[int] = set()
        # The ids of rows whose message broke a connection, and was not sent since.
        self._broke_at: set[int] = set()
        # The ids of rows that were in a chunk of unknown fate: their messages are sent alone until one arrives.
        self._alone: set[int] = set()

    @property
    def trouble(self) -> str:
        """Why the broker cannot be reached; empty if it can be."""
        return self.broker.trouble

    def ready(self) -> bool:
        """Connect if needed; returns whether the broker can be reached."""
        is_ready = self.broker.ready()
        self._journal.broker(self.trouble)
        return is_ready

    def close(self) -> None:
        """Give the connection back."""
        self.broker.close()

    def send(
        self, messages: Sequence[Message], publish: Callable[[Message, Any], Any], go_on: Callable[[], bool]
    ) -> Sent:
        """Send messages in order, while ``go_on`` returns True; ``publish`` sends one by a producer.

        Where one wait is enough for many messages, they are sent in chunks. A message that can never be sent is logged,
        as stock Beat does, and is done with.
        """
        self.given_up.clear()
        given_up = self.counters.given_up
        sent = self._send(messages, publish, go_on)
        self.counters.sent += len(sent.done) - (self.counters.given_up - given_up)
        self.counters.refused += len(sent.refused)
        return sent

    def _send(
        self, messages: Sequence[Message], publish: Callable[[Message, Any], Any], go_on: Callable[[], bool]
    ) -> Sent:
        done: list[Message] = []
        refused: list[Message] = []
        at = 0
        with without_results():
            while at < len(messages):
                if self.broker.producer is None or not go_on():
                    return Sent(done, refused, messages[at:])
                chunk = self._chunk(messages[at : at + CHUNK])
                fates = self._publish_chunk(chunk, publish, is_first=not refused)
                self._note_arrived()
                for message, fate in zip(chunk, fates, strict=False):
                    if fate is Fate.BROKEN:
                        return Sent(done, refused, messages[at:], unsure=True)
                    (refused if fate is Fate.REFUSED else done).append(message)
                    at += 1
        return Sent(done, refused)

    def _note_arrived(self) -> None:
        """Note the messages of a chunk that have arrived, together: one by one it would take long."""
        arrived, self._arrived_now = self._arrived_now, []
        if arrived:
            now = datetime.now(timezone.utc)
            self.last_tick = arrived[-1].tick
            self.last_late = (now - arrived[-1].tick).total_seconds()
            self._journal.sent(arrived, now)
        self._journal.broker(self.trouble)

    def _chunk(self, messages: Sequence[Message]) -> Sequence[Message]:
        """Return the first messages that are sent together: of those that must go alone, one."""
        if not waits_once(self.broker.producer, self.broker.confirms):
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
        if pushes := self._prebuilt.pushes(chunk, publish, self.broker.producer):
            return self._push(chunk[: len(pushes)], pushes, is_first=is_first)
        return self._publish_together(chunk[: self._prebuilt.count_for_whole_way(chunk)], publish, is_first=is_first)

    def _publish_together(
        self, chunk: Sequence[Message], publish: Callable[[Message, Any], Any], *, is_first: bool
    ) -> list[Fate]:
        """Let Celery build and send the messages of a chunk, and wait for the broker at their end."""
        numbers: list[range] = []
        failure: Exception | None = None
        until = time.monotonic() + LONGEST
        try:
            # An error that left the block would discard what is buffered.
            with together(self.broker.producer, self.broker.confirms) as receipts:
                while failure is None and len(numbers) < len(chunk) and time.monotonic() < until:
                    before = receipts.last
                    try:
                        publish(chunk[len(numbers)], self.broker.producer)
                    except Exception as error:
                        if isinstance(cause_of(error), AMQPError):
                            # RabbitMQ may mean an earlier message, and a new channel confirms none of the old one's.
                            raise
                        failure = error
                    else:
                        numbers.append(own := range(before + 1, receipts.last + 1))
                        self._prebuilt.learn(chunk[len(numbers) - 1], receipts.commands(own))
        except Exception as error:
            return self._lost(chunk, error)
        fates = [
            self._answered(message, not receipts.refused.isdisjoint(own), is_first=is_first)
            for message, own in zip(chunk, numbers, strict=False)
        ]
        if failure is not None:
            fates.append(self._failed(chunk[len(fates)], failure, is_first=is_first))
        return fates

    def _push(self, chunk: Sequence[Message], pushes: Sequence[Push], *, is_first: bool) -> list[Fate]:
        """Send prebuilt messages together: Redis answers for each list."""
        # The client of Redis is not installed where another broker is used.
        from schedsync.beat.redis_commands import answers

        lists: dict[str, list[str]] = {}
        for push in pushes:
            lists.setdefault(push.mold.key, []).append(push.text)
        after = {command: None for push in pushes for command in push.mold.after}
        commands = [*(("LPUSH", key, *texts) for key, texts in lists.items()), *after]
        try:
            with self.broker.producer.channel.conn_or_acquire() as client:
                by_list = dict(zip(lists, answers(client, commands), strict=False))
        except Exception as error:
            return self._lost(chunk, error)
        given = (by_list[push.mold.key] for push in pushes)
        return [
            self._failed(message, answer, is_first=is_first)
            if isinstance(answer, Exception)
            else self._arrived(message)
            for message, answer in zip(chunk, given, strict=True)
        ]

    def _lost(self, chunk: Sequence[Message], error: Exception) -> list[Fate]:
        """Note that it is unknown which messages of a chunk have arrived: each is sent again, alone."""
        self._alone |= {message.row_id for message in chunk}
        self.counters.unsure += len(chunk)
        cause = cause_of(error)
        if self.broker.fate_of(cause) is Fate.BROKEN:
            self.broker.down(error)
            return [Fate.BROKEN]
        logger.warning("the broker refuses one of %d messages; each is sent again: %s", len(chunk), error_line(cause))
        if isinstance(cause, AMQPError):
            self.broker.drop()
            self.broker.ready()
        return []

    def _publish(self, message: Message, publish: Callable[[Message, Any], Any], *, is_first: bool) -> Fate:
        try:
            publish(message, self.broker.producer)
        except Exception as error:
            return self._failed(message, error, is_first=is_first)
        return self._arrived(message)

    def _answered(self, message: Message, is_refused: bool, *, is_first: bool) -> Fate:
        return self._failed(message, MessageNacked(), is_first=is_first) if is_refused else self._arrived(message)

    def _arrived(self, message: Message) -> Fate:
        self._broke_at.discard(message.row_id)
        self._alone.discard(message.row_id)
        self.failures.succeeded(message.row_id)
        self._arrived_now.append(message)
        return Fate.DONE

    def _failed(self, message: Message, error: Exception, *, is_first: bool) -> Fate:
        fate, row_id = self.broker.fate_of(error), message.row_id
        # One that is sent at most once is not tried again, so others need not wait for it.
        broke_again = fate is Fate.BROKEN and row_id in self._broke_at and not message.loaded.at_most_once
        if fate is Fate.BROKEN and not broke_again:
            self._broke_at.add(row_id)
            self.counters.unsure += 1
            self.broker.down(error)
            return fate
        if fate is Fate.DONE:
            self.counters.given_up += 1
            self.given_up.add(row_id)
        count = self.failures.note(message, error, given_up=fate is Fate.DONE)
        event = Event.GIVEN_UP if fate is Fate.DONE else Event.REFUSED
        self._journal.note(row_id, event, message.tick, reason=error_line(error))
        if fate is Fate.DONE and count:
            text = "`%s` cannot be sent" if count == 1 else "`%s` cannot be sent, %d times in a row"
            words = (message.name, count)[: min(count, 2)]
            logger.error(
                text, *words, exc_info=masked_error(error), extra={"schedule": message.name, "failures": count}
            )
        elif fate is not Fate.DONE and is_first and count:
            text = "the broker refuses `%s`, and perhaps others, which are tried again later: %s"
            logger.error(text, message.name, error_line(error), extra={"schedule": message.name})
        cause = error.__cause__ or error
        if broke_again or (isinstance(cause, AMQPError) and not isinstance(cause, MessageNacked)):
            # RabbitMQ closes the channel, or the connection, when it refuses a message with another answer.
            self.broker.drop()
            self.broker.ready()
        # This message breaks every connection to a broker that is there: others must not wait for it.
        return Fate.REFUSED if broke_again else fate
