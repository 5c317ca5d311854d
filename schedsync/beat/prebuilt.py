"""Messages for Redis without Celery's whole way: what the messages of one kind share was built by Celery once.

A message of a kind shows where the values stand that differ. Later ones get these values from the same functions of
Celery and kombu that the whole way calls, and nothing else is done for them.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import Any

from celery.utils.time import maybe_make_aware
from kombu import serialization
from kombu.compression import compress
from kombu.utils.json import dumps as kombu_json

from schedsync.beat.due_entry import say_sending
from schedsync.beat.message import Message
from schedsync.beat.plain_path import is_plain, is_plain_task
from schedsync.core.timing import instant_text

#: How many molds are kept, and arguments. The oldest makes room.
KEPT = 20_000
#: Fewer messages at a time are not worth a round trip of their own.
_FEWEST = 16
#: Texts of arguments up to this length are never shortened where they are shown: Celery's limit is 1,024 characters.
_SHORT = 400
#: Where in kombu's message for Redis the values stand that differ between messages of one kind.
_PLACES = (
    ("body", ("body",)),
    ("id", ("headers", "id")),
    ("id", ("headers", "root_id")),
    ("id", ("properties", "correlation_id")),
    ("name", ("headers", "periodic_task_name")),
    ("name", ("headers", "schedsync_schedule")),
    ("tick", ("headers", "schedsync_tick")),
    ("args", ("headers", "argsrepr")),
    ("kwargs", ("headers", "kwargsrepr")),
    ("tag", ("properties", "delivery_tag")),
)
# The stubs of kombu leave the registry out.
_registry: Any = vars(serialization)["registry"]
_EXPIRES = ("expires", ("headers", "expires"))


@dataclass(frozen=True, slots=True)
class Mold:
    """What messages of one kind share: a text for the Redis list ``key``, divided where the values of ``gaps`` stand.

    ``after`` are the commands that follow, such as those that let a queue expire. ``serializer`` and ``compression``
    are names of kombu; the latter is None for no compression.
    """

    key: str
    parts: tuple[str, ...]
    gaps: tuple[str, ...]
    after: tuple[tuple[Any, ...], ...]
    serializer: str
    compression: str | None

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
    """The molds by the kind of message; a kind that has no known form has None."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._producer: Any = None
        self._molds: dict[object, Mold | None] = {}
        self._learns = False
        self._arguments = lru_cache(maxsize=KEPT)(self._arguments_of)
        # Whether a task is sent as Celery sends tasks, for the tasks of the present chunk.
        self._is_plain: dict[str, bool] = {}

    def pushes(self, messages: Sequence[Message], publish: Any, producer: Any) -> list[Push]:
        """Return what is pushed for the first messages; none if they are better sent the whole way of Celery.

        This also looks whether the whole way may be left at all, which a tool can change at any time.
        """
        self._learns = _is_redis(producer.channel) and is_plain(self._app, publish, producer)
        self._is_plain.clear()
        if producer is not self._producer:
            # On a new connection Celery declares each queue again.
            self._molds.clear()
            self._producer = producer
        if not self._learns:
            return []
        pushes = list(self._first_pushes(messages))
        if len(pushes) < min(_FEWEST, len(messages)):
            return []
        for message in messages[: len(pushes)]:
            say_sending(message, self._app, publish.__self__.using)
        return pushes

    def _first_pushes(self, messages: Sequence[Message]) -> Iterator[Push]:
        """Yield the pushes of the first messages, up to the first that goes the whole way."""
        for message in messages:
            mold = self._molds.get(_kind(message))
            if mold is None or not self._is_plain_task(message.task):
                return
            try:
                yield Push(mold, mold.filled(self._values(message, mold)))
            except Exception:
                # Such as arguments that do not fit the task: on the whole way the error is met again, and reported.
                return

    def _is_plain_task(self, name: str) -> bool:
        if name not in self._is_plain:
            self._is_plain[name] = is_plain_task(self._app.tasks.get(name))
        return self._is_plain[name]

    def whole_way(self, messages: Sequence[Message]) -> int:
        """Return how many of the first messages are to go the whole way now: those after them will have molds."""
        if not self._learns:
            return len(messages)
        seen: set[object] = set()
        ready = 0
        for number, message in enumerate(messages, start=1):
            kind = _kind(message)
            has_mold = self._molds[kind] is not None if kind in self._molds else kind in seen
            ready = ready + 1 if has_mold and self._is_plain_task(message.task) else 0
            if ready == _FEWEST:
                return number - ready or number
            seen.add(kind)
        return len(messages)

    def learn(self, message: Message, commands: Sequence[tuple[Any, ...]]) -> None:
        """Keep the mold of a message that was sent by these commands of Redis."""
        if not (self._learns and commands) or (kind := _kind(message)) in self._molds:
            return
        if self._is_plain_task(message.task):
            self._molds[kind] = self._mold_of(message, commands)
            if len(self._molds) > KEPT:
                del self._molds[next(iter(self._molds))]

    def _mold_of(self, message: Message, commands: Sequence[tuple[Any, ...]]) -> Mold | None:
        """Return the mold of a message; None if a message that is made by it would be another."""
        (first, key, *texts), *after = commands
        if message.loaded.expires is not None or first != "LPUSH" or any(name != "PEXPIRE" for name, *_ in after):
            return None
        (text,) = texts
        sent = json.loads(text)
        try:
            mold = Mold(key, *_divided(sent, _places(message)), tuple(after), *_coding(sent))
            made = mold.filled(
                {
                    **self._values(message, mold),
                    "tag": sent["properties"]["delivery_tag"],
                    "expires": sent["headers"]["expires"] or "",
                }
            )
        except (KeyError, TypeError, ValueError):
            return None
        return mold if made == text else None

    def _values(self, message: Message, mold: Mold) -> dict[str, str]:
        """Return the texts for the gaps; raises what Celery or kombu raise for these arguments."""
        loaded = message.loaded
        values = {
            "id": message.task_id,
            "tick": instant_text(message.tick),
            "tag": str(uuid.uuid4()),
            "name": _inside(message.name),
            **self._arguments(message.task, loaded.args, loaded.kwargs, mold.serializer, mold.compression),
        }
        if loaded.expires_after is not None:
            values["expires"] = self._expires(loaded.expires_after)
        return values

    def _arguments_of(
        self, task_name: str, args_text: str, kwargs_text: str, serializer: str, compression: str | None
    ) -> dict[str, str]:
        """Return the texts for the gaps of the arguments, which are JSON."""
        args, kwargs = json.loads(args_text), json.loads(kwargs_text)
        if (task := self._app.tasks.get(task_name)) is not None and task.typing:
            # Celery's own check of the arguments (celery/app/task.py ``Task.apply_async``).
            task.__header__(*args, **kwargs)
        if _is_flat(args_text) and _is_flat(kwargs_text):
            args_shown, kwargs_shown = repr(args or ()), repr(kwargs)
        else:
            headers = self._app.amqp.create_task_message("", task_name, args, kwargs).headers
            args_shown, kwargs_shown = headers["argsrepr"], headers["kwargsrepr"]
        body = (args or (), kwargs, {"callbacks": None, "errbacks": None, "chain": None, "chord": None})
        data: Any = serialization.dumps(body, serializer=serializer)[2]
        if compression:
            data = compress(data, compression)[0]
        encoded = self._producer.channel.encode_body(data, "base64")[0]
        return {"args": _inside(args_shown), "kwargs": _inside(kwargs_shown), "body": encoded}

    def _expires(self, seconds: int) -> str:
        """Return what Celery writes for a number of seconds (celery/app/amqp.py ``as_task_v2``)."""
        at = maybe_make_aware(self._app.now() + timedelta(seconds=seconds), tz=self._app.timezone)
        return str(at.isoformat())


def _is_redis(channel: Any) -> bool:
    return type(channel).__module__ == "kombu.transport.redis" and not channel.global_keyprefix


def _kind(message: Message) -> object:
    """Return all that a message depends on, except its schedule's name, its arguments and its tick."""
    of = message.loaded
    return of.task, of.headers, of.options, of.expires, of.expires_after, of.managed[:2]


def _places(message: Message) -> Sequence[tuple[str, tuple[str, ...]]]:
    # A task may have an expiry of its own, which then is not known here.
    return _PLACES if message.loaded.expires_after is None else (*_PLACES, _EXPIRES)


def _coding(sent: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return the names of the serializer and of the compression; raises KeyError or ValueError if one is unknown."""
    if sent["properties"]["body_encoding"] != "base64":
        raise ValueError(sent["properties"]["body_encoding"])
    return _registry.type_to_name[sent["content-type"]], sent["headers"].get("compression")


def _divided(
    sent: Mapping[str, Any], places: Sequence[tuple[str, tuple[str, ...]]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return kombu's text of a message without the values at the places, and the gaps in order of the text.

    Raises KeyError or TypeError if the message has no such place.
    """
    mark = uuid.uuid4().hex
    marked = json.loads(json.dumps(sent))
    for gap, (*way, last) in places:
        part = marked
        for step in way:
            part = part[step]
        if not isinstance(part[last], str):
            raise TypeError(last)
        part[last] = f"{mark}{gap}{mark}"
    pieces = str(kombu_json(marked)).split(mark)
    return tuple(pieces[::2]), tuple(pieces[1::2])


def _is_flat(text: str) -> bool:
    """Say whether Celery shows the values of a JSON text as Python does (celery/utils/saferepr.py).

    It shortens what is long or deep, and does not escape characters; it also takes thirty times as long.
    """
    return (
        len(text) <= _SHORT
        and text.count("[") + text.count("{") == 1
        and "\\" not in text
        and "'" not in text
        and text.isprintable()
    )


def _inside(text: str) -> str:
    """Return a text as it stands in JSON, without its quotes."""
    return encode_basestring_ascii(text)[1:-1]
