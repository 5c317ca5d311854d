"""Prebuilt messages for Redis: Celery builds the first message of a kind, and later ones are made from its text.

The text becomes a mold, with gaps for the values that differ between messages of the kind. Later messages get these
values from the same functions of Celery and kombu that the whole way calls, and call nothing else of it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from celery.utils import time as celery_time

from schedsync.beat.argument_texts import ArgumentTexts, escaped
from schedsync.beat.due_entry import say_sending
from schedsync.beat.message import OPTIONS, Message
from schedsync.beat.mold import Mold, mold_of
from schedsync.beat.plain_path import is_plain, surroundings, way_of
from schedsync.core.masked_errors import error_line
from schedsync.core.task_id import uuid_text
from schedsync.core.timing import instant_text

logger = logging.getLogger(__name__)

#: How many molds are kept. The oldest makes room.
KEPT = 20_000
#: Fewer messages at a time are not worth a round trip of their own.
_FEWEST = 16


class Push(NamedTuple):
    """The text of one message, and its mold."""

    mold: Mold
    text: str


class Prebuilt:
    """Keeps the molds by the kind of message; None is for a kind that always takes the whole way."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._surroundings: object = None
        self._molds: dict[object, Mold | None] = {}
        self._arguments = ArgumentTexts(app)
        # By task and options: what ``way_of`` returned since the start of this chunk.
        self._ways: dict[object, str | None] = {}
        self._learns = False

    def pushes(self, messages: Sequence[Message], publish: Any, producer: Any) -> list[Push]:
        """Return the pushes of the first messages; none if they are to take the whole way.

        This also checks whether a message may be prebuilt at all: a tool can change that at any time.
        """
        self._learns = _is_redis(producer.channel) and is_plain(self._app, publish, producer)
        self._ways.clear()
        now = surroundings(self._app, producer) if self._learns else None
        if now != self._surroundings:
            # On a new connection Celery declares each queue again; and a tool may have changed the latest messages.
            self._molds.clear()
            self._arguments = ArgumentTexts(self._app)
            self._surroundings = now
        if not self._learns:
            return []
        pushes = list(self._first_pushes(messages))
        if len(pushes) < min(_FEWEST, len(messages)):
            return []
        for message in messages[: len(pushes)]:
            say_sending(message, self._app, publish.__self__.using)
        return pushes

    def _first_pushes(self, messages: Sequence[Message]) -> Iterator[Push]:
        """Yield the pushes of the first messages, up to the first that takes the whole way."""
        molds: dict[object, Mold | None] = {}
        for message, tag in zip(messages, _random_ids(len(messages)), strict=True):
            if (row := _row(message)) not in molds:
                molds[row] = None if (way := self._way(message)) is None else self._molds.get((way, *row))
            if (mold := molds[row]) is None:
                return
            try:
                values = self._values(message, mold)
                values["tag"] = tag
                yield Push(mold, mold.filled(values))
            except Exception as error:
                # For example, its arguments do not fit the task. On the whole way this fails again, and is reported.
                logger.debug("`%s` is sent the whole way: %s", message.name, error_line(error))
                return

    def _way(self, message: Message) -> str | None:
        """Return what ``way_of`` says of a message; it is asked once in a chunk for each task and its options."""
        key = message.task, message.loaded.options
        if key not in self._ways:
            options = zip(OPTIONS, message.loaded.options, strict=True)
            given = {name: value for name, value in options if value is not None}
            self._ways[key] = way_of(self._app, message.task, given)
        return self._ways[key]

    def count_for_whole_way(self, messages: Sequence[Message]) -> int:
        """Return how many of the first messages are to take the whole way now: those after them will have molds."""
        if not self._learns:
            return len(messages)
        seen: set[object] = set()
        ready = 0
        for number, message in enumerate(messages, start=1):
            kind = None if (way := self._way(message)) is None else _kind(message, way)
            has_mold = self._molds[kind] is not None if kind in self._molds else kind in seen
            ready = ready + 1 if has_mold else 0
            if ready == _FEWEST:
                return number - ready or number
            if kind is not None:
                seen.add(kind)
        return len(messages)

    def learn(self, message: Message, commands: Sequence[tuple[Any, ...]]) -> None:
        """Keep the mold of a message that was sent by these commands of Redis."""
        if not (self._learns and commands) or (way := self._way(message)) is None:
            return
        if (kind := _kind(message, way)) not in self._molds:
            self._molds[kind] = self._learned(message, commands)
            if len(self._molds) > KEPT:
                del self._molds[next(iter(self._molds))]

    def _learned(self, message: Message, commands: Sequence[tuple[Any, ...]]) -> Mold | None:
        """Return the mold of a message if it makes exactly the text that Celery made; otherwise None."""
        try:
            if (known := mold_of(message, commands)) is None:
                return None
            mold, chosen = known
            is_same = mold.filled({**self._values(message, mold), **chosen}) == commands[0][2]
        except Exception as error:
            # The message itself is buffered: an error here must not count as a failure to send it.
            logger.debug("messages as that of `%s` are sent the whole way: %s", message.name, error_line(error))
            return None
        return mold if is_same else None

    def _values(self, message: Message, mold: Mold) -> dict[str, str]:
        """Return the texts for the gaps; raises what Celery or kombu raise for these arguments."""
        loaded, payload = message.loaded, message.payload
        values = self._arguments.of(message.task, payload.args, payload.kwargs, mold.serializer, mold.compression)
        values["id"] = message.task_id
        values["tick"] = instant_text(message.tick)
        values["name"] = escaped(message.name)
        if loaded.expires_after is not None:
            values["expires"] = self._expires(loaded.expires_after)
        return values

    def _expires(self, seconds: int) -> str:
        """Return what Celery writes for a number of seconds (celery/app/amqp.py ``as_task_v2``)."""
        at = _later(self._app.now(), seconds)
        return str(celery_time.maybe_make_aware(at, tz=self._app.timezone).isoformat())


def _add(at: datetime, seconds: float) -> datetime:
    """Add as Celery did before 5.7: in local time, without regard to daylight saving."""
    return at + timedelta(seconds=seconds)


_later: Any = getattr(celery_time, "add_seconds_to_datetime", _add)


def _random_ids(count: int) -> Iterator[str]:
    """Return ids as kombu makes them for deliveries; the system is asked once for all of their random bits."""
    noise = os.urandom(16 * count)
    return (uuid_text(noise[start : start + 16], version=4) for start in range(0, len(noise), 16))


def _is_redis(channel: Any) -> bool:
    return type(channel).__module__ == "kombu.transport.redis" and not channel.global_keyprefix


def _kind(message: Message, way: str) -> object:
    """Return all that a message depends on, except its schedule's name, its arguments and its tick."""
    return way, *_row(message)


def _row(message: Message) -> tuple[object, ...]:
    """Return what a kind depends on and the database knows."""
    loaded = message.loaded
    row = loaded.task, loaded.options, message.payload.headers, loaded.expires, loaded.expires_after
    return *row, loaded.managed[:3]
