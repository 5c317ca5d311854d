"""Messages for Redis that Celery has built once: the later messages of a schedule differ in their ids and times only.

The text that kombu sends for a message is divided at the places where these values stand.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from celery.utils import time as celery_time
from kombu.utils.json import dumps

from schedsync.beat.due_entry import say_sending
from schedsync.beat.message import OPTIONS, Message
from schedsync.beat.plain_path import is_plain, is_plain_body, surroundings, way_of
from schedsync.core.timing import instant_text

#: How many messages are kept. The oldest makes room.
KEPT = 20_000
#: Fewer messages at a time are not worth a round trip of their own.
_FEWEST = 16
#: Where a message holds a value that differs from one tick to the next.
_PLACES = {
    ("headers", "id"): "id",
    ("headers", "root_id"): "id",
    ("properties", "correlation_id"): "id",
    ("headers", "schedsync_tick"): "tick",
    ("headers", "expires"): "expires",
    ("properties", "delivery_tag"): "tag",
}


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
        self._surroundings: object = None
        self._molds: dict[int, tuple[object, Mold]] = {}
        # The ways of this chunk, by tasks and options.
        self._ways: dict[object, str | None] = {}
        self._learns = False

    def pushes(self, messages: Sequence[Message], publish: Any, producer: Any) -> list[Push]:
        """Return what is pushed for the first messages; none if they are better sent the whole way of Celery.

        This also looks whether the whole way may be left at all, which a tool can change at any time.
        """
        self._learns = _is_redis(producer.channel) and is_plain(self._app, publish, producer)
        self._ways.clear()
        now = surroundings(self._app, producer) if self._learns else None
        if now != self._surroundings:
            # On a new connection Celery declares each queue again. A tool may have changed what was sent last.
            self._molds.clear()
            self._surroundings = now
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
        for message in messages:
            kept = self._molds.get(message.row_id)
            if kept is None or kept[0] != (self._way(message), _source(message)):
                break
            molds.append(kept[1])
        return molds

    def _way(self, message: Message) -> str | None:
        """Return what decides how a message is sent, asked once in a chunk for each task and its options."""
        key = message.task, message.loaded.options
        if key not in self._ways:
            options = zip(OPTIONS, message.loaded.options, strict=True)
            given = {name: value for name, value in options if value is not None}
            self._ways[key] = way_of(self._app, message.task, given)
        return self._ways[key]

    def learn(self, message: Message, commands: Sequence[tuple[Any, ...]]) -> None:
        """Keep the mold of a message that was sent by these commands of Redis."""
        if not (self._learns and commands) or (way := self._way(message)) is None:
            return
        self._molds.pop(message.row_id, None)
        if (mold := _mold_of(message, commands)) is not None:
            self._molds[message.row_id] = (way, _source(message)), mold
            if len(self._molds) > KEPT:
                del self._molds[next(iter(self._molds))]

    def _values(self, message: Message) -> dict[str, str]:
        values = {"id": message.task_id, "tick": instant_text(message.tick), "tag": str(uuid.uuid4())}
        if (seconds := message.loaded.expires_after) is not None:
            values["expires"] = self._expires(seconds)
        return values

    def _expires(self, seconds: int) -> str:
        """Return what Celery writes for a number of seconds (celery/app/amqp.py ``as_task_v2``)."""
        at = _later(self._app.now(), seconds)
        return str(celery_time.maybe_make_aware(at, tz=self._app.timezone).isoformat())


def _add(at: datetime, seconds: float) -> datetime:
    """Add as Celery did before 5.7: by the clock on the wall."""
    return at + timedelta(seconds=seconds)


_later: Any = getattr(celery_time, "add_seconds_to_datetime", _add)


def _is_redis(channel: Any) -> bool:
    return type(channel).__module__ == "kombu.transport.redis" and not channel.global_keyprefix


def _source(message: Message) -> object:
    """Return all that the message of a schedule depends on."""
    of = message.loaded
    return of.name, of.task, of.args, of.kwargs, of.headers, of.options, of.expires, of.expires_after, of.managed[:2]


def _mold_of(message: Message, commands: Sequence[tuple[Any, ...]]) -> Mold | None:
    """Return the mold of a message; None if its text has no known form, or may need another list the next time."""
    if commands[0][0] != "LPUSH" or any(name != "PEXPIRE" for name, *_ in commands[1:]):
        return None
    _, key, text = commands[0]
    sent = json.loads(text)
    headers, properties = sent["headers"], sent["properties"]
    if (
        not _is_as_given(message, headers, properties)
        or not is_plain_body(sent["content-type"], headers.get("compression"))
        # Redis is asked for the lists of an exchange at each message.
        or properties["delivery_info"]["exchange"]
        or dumps(sent) != text
    ):
        return None
    return Mold(key, *_divided(sent), tuple(commands[1:]))


def _is_as_given(message: Message, headers: Mapping[str, Any], properties: Mapping[str, Any]) -> bool:
    """Say whether Celery wrote at the places what it was given: headers of the row, or of a task, may be there."""
    loaded = message.loaded
    seconds = loaded.expires_after
    return (
        loaded.expires is None
        and {"id", "root_id", "expires"}.isdisjoint(message.headers)
        and {message.task_id} == {headers["id"], headers["root_id"], properties["correlation_id"]}
        and headers["schedsync_tick"] == instant_text(message.tick)
        and (headers["expires"] is None) == (seconds is None)
        and properties.get("expiration") == (None if seconds is None else str(seconds * 1000))
    )


def _divided(sent: dict[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the text of a message in parts, and the names of the gaps between them."""
    mark = uuid.uuid4().hex
    for (part, name), gap in _PLACES.items():
        if sent[part][name] is not None:
            sent[part][name] = f"{mark}{gap}{mark}"
    pieces = re.split(f"{mark}([a-z]+){mark}", dumps(sent))
    return tuple(pieces[::2]), tuple(pieces[1::2])
