"""A mold: the text that kombu puts into Redis for a message of Celery, with gaps where messages of one kind differ."""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kombu import serialization
from kombu.utils.json import dumps

from schedsync.beat.message import Message
from schedsync.beat.plain_path import is_plain_body

#: The gaps of a message, and the paths to their values in it.
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
_EXPIRES = ("expires", ("headers", "expires"))
#: Headers of a row with these names would replace Celery's values in the gaps.
_CELERYS = {"id", "root_id", "expires", "argsrepr", "kwargsrepr"}
# The stubs of kombu leave the registry out.
_registry: Any = vars(serialization)["registry"]


@dataclass(frozen=True, slots=True)
class Mold:
    """What messages of one kind share: a text for the Redis list ``key``, with ``%(name)s`` for its gaps.

    ``after`` are the commands that follow, such as those that let a queue expire. ``serializer`` and ``compression``
    are names of kombu; the latter is None for no compression.
    """

    key: str
    text: str
    after: tuple[tuple[Any, ...], ...]
    serializer: str
    compression: str | None

    def filled(self, values: Mapping[str, str]) -> str:
        """Return the text with values in its gaps; the values are escaped as in JSON."""
        return self.text % values


def mold_of(message: Message, commands: Sequence[tuple[Any, ...]]) -> tuple[Mold, dict[str, str]] | None:
    """Return the mold of a message that was sent by commands of Redis, and the values that differ at each send.

    Returns None if other messages of its kind may differ elsewhere too.
    """
    (first, key, *texts), *after = commands
    if first != "LPUSH" or len(texts) != 1 or any(name != "PEXPIRE" for name, *_ in after):
        return None
    sent = json.loads(texts[0])
    if not _is_as_given(message, sent):
        return None
    headers, properties = sent["headers"], sent["properties"]
    coding = _registry.type_to_name[sent["content-type"]], headers.get("compression")
    places = _PLACES if message.loaded.expires_after is None else (*_PLACES, _EXPIRES)
    mold = Mold(key, _with_gaps(sent, places), tuple(after), *coding)
    return mold, {"tag": properties["delivery_tag"], "expires": headers["expires"] or ""}


def _is_as_given(message: Message, sent: Mapping[str, Any]) -> bool:
    """Say whether all that Celery wrote is known from the message and its mold."""
    headers, properties, seconds = sent["headers"], sent["properties"], message.loaded.expires_after
    return (
        message.loaded.expires is None
        and _CELERYS.isdisjoint(message.headers)
        # A task may have an expiry of its own.
        and (headers["expires"] is None) == (seconds is None)
        and properties.get("expiration") == (None if seconds is None else str(seconds * 1000))
        and properties["body_encoding"] == "base64"
        and is_plain_body(sent["content-type"], headers.get("compression"))
        # Redis is asked for the lists of an exchange at each message.
        and not properties["delivery_info"]["exchange"]
    )


def _with_gaps(sent: dict[str, Any], places: Sequence[tuple[str, tuple[str, ...]]]) -> str:
    """Return kombu's text of a message with gaps at the places."""
    mark = uuid.uuid4().hex
    marked = copy.deepcopy(sent)
    for gap, (*path, last) in places:
        part = marked
        for step in path:
            part = part[step]
        part[last] = f"{mark}{gap}{mark}"
    pieces = str(dumps(marked)).replace("%", "%%").split(mark)
    return "".join(f"%({piece})s" if index % 2 else piece for index, piece in enumerate(pieces))
