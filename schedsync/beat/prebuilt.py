"""Messages for Redis that Celery has built once: the later messages of a schedule differ in their ids and times only.

The text that kombu sends for a message is divided where these values stand; they are known, as they were given to it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from celery.utils.time import maybe_make_aware

from schedsync.beat.due_entry import say_sending
from schedsync.beat.message import Message
from schedsync.beat.plain_path import is_plain, is_plain_task
from schedsync.core.timing import instant_text

#: How many messages are kept. The oldest makes room.
KEPT = 20_000
#: Fewer messages at a time are not worth a round trip of their own.
_FEWEST = 16


@dataclass(frozen=True, slots=True)
class Mold:
    """A text of kombu for the Redis list ``key``, divided where the values named in ``gaps`` stand.

    ``after`` are the commands that follow, such as those that let a queue expire.
    """

    key: str
    parts: tuple[str, ...]
    gaps: tuple[str, ...]
    after: tuple[tuple[Any, ...], ...]

    def filled(self, values: Mapping[str, str]) -> str:
        """Return the text with values in its gaps."""
        texts = [self.parts[0]]
        for gap, part in zip(self.gaps, self.parts[1:], strict=True):
            texts += (values[gap], part)
        return "".join(texts)


@dataclass(frozen=True, slots=True)
class Push:
    """The text of one message, and its mold."""

    mold: Mold
    text: str


class Prebuilt:
    """The molds of schedules, by the ids of their rows."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._producer: Any = None
        self._molds: dict[int, tuple[object, Mold]] = {}
        self._learns = False

    def pushes(self, messages: Sequence[Message], publish: Any, producer: Any) -> list[Push]:
        """Return what is pushed for the first messages; none if they are better sent the whole way of Celery.

        This also looks whether the whole way may be left at all, which a tool can change at any time.
        """
        self._learns = _is_redis(producer.channel) and is_plain(self._app, publish, producer)
        if producer is not self._producer:
            # On a new connection Celery declares each queue again.
            self._molds.clear()
            self._producer = producer
        if not self._learns:
            return []
        molds = self._known(messages)
        if len(molds) < min(_FEWEST, len(messages)):
            return []
        for message in messages[: len(molds)]:
            say_sending(message, self._app, publish.__self__.using)
        return [Push(mold, mold.filled(self._values(message))) for message, mold in zip(messages, molds, strict=False)]

    def _known(self, messages: Sequence[Message]) -> list[Mold]:
        """Return the molds of the first messages, up to the first that has none."""
        molds: list[Mold] = []
        plain_tasks: set[str] = set()
        for message in messages:
            source, mold = self._molds.get(message.row_id, (None, None))
            if mold is None or source != _source(message):
                break
            if message.task not in plain_tasks:
                if not is_plain_task(self._app.tasks.get(message.task)):
                    break
                plain_tasks.add(message.task)
            molds.append(mold)
        return molds

    def learn(self, message: Message, commands: Sequence[tuple[Any, ...]]) -> None:
        """Keep the mold of a message that was sent by these commands of Redis."""
        if not (self._learns and commands and is_plain_task(self._app.tasks.get(message.task))):
            return
        self._molds.pop(message.row_id, None)
        if (mold := _mold_of(message, commands)) is not None:
            self._molds[message.row_id] = _source(message), mold
            if len(self._molds) > KEPT:
                del self._molds[next(iter(self._molds))]

    def _values(self, message: Message) -> dict[str, str]:
        values = {"id": message.task_id, "tick": instant_text(message.tick), "tag": str(uuid.uuid4())}
        if (seconds := message.loaded.expires_after) is not None:
            values["expires"] = self._expires(seconds)
        return values

    def _expires(self, seconds: int) -> str:
        """Return what Celery writes for a number of seconds (celery/app/amqp.py ``as_task_v2``)."""
        at = maybe_make_aware(self._app.now() + timedelta(seconds=seconds), tz=self._app.timezone)
        return str(at.isoformat())


def _is_redis(channel: Any) -> bool:
    return type(channel).__module__ == "kombu.transport.redis" and not channel.global_keyprefix


def _source(message: Message) -> object:
    """Return what stands for all that the message of a schedule depends on: its row, and who manages it."""
    return message.loaded.fingerprint, message.loaded.managed[:2]


def _mold_of(message: Message, commands: Sequence[tuple[Any, ...]]) -> Mold | None:
    """Return the mold of a message; None if its text has no known form."""
    loaded = message.loaded
    if loaded.expires is not None or commands[0][0] != "LPUSH" or any(name != "PEXPIRE" for name, *_ in commands[1:]):
        return None
    _, key, text = commands[0]
    sent = json.loads(text)
    values = {"id": message.task_id, "tick": instant_text(message.tick), "tag": sent["properties"]["delivery_tag"]}
    if (expires := sent["headers"]["expires"]) is not None:
        values["expires"] = expires
    times = {gap: text.count(value) for gap, value in values.items()}
    # The id is also that of the root and of the correlation. A task may have an expiry of its own.
    if times.pop("id") != 3 or set(times.values()) != {1} or (expires is None) != (loaded.expires_after is None):
        return None
    parts, gaps = _divided(text, values)
    return Mold(key, parts, gaps, tuple(commands[1:]))


def _divided(text: str, values: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    parts: list[str] = []
    gaps: list[str] = []
    while True:
        at, gap = min(((text.find(value), gap) for gap, value in values.items() if value in text), default=(-1, ""))
        if at < 0:
            return (*parts, text), tuple(gaps)
        parts.append(text[:at])
        gaps.append(gap)
        text = text[at + len(values[gap]) :]
