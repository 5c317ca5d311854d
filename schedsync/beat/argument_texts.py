"""The arguments of a schedule as Celery writes them into a message for Redis."""

from __future__ import annotations

import base64
import json
from json.encoder import encode_basestring_ascii
from typing import Any

from kombu import serialization
from kombu.compression import compress

# The stubs of kombu leave the registry out.
_registry: Any = vars(serialization)["registry"]
#: Python's own JSON encoder, which is made once, is enough for values that were JSON.
_FAST: dict[str, dict[str, Any]] = {"json": {"cls": None}}
_NO_CALLBACKS = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


class ArgumentTexts:
    """Makes the texts by the functions of Celery and kombu."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._tasks = app.tasks

    def of(
        self, task_name: str, args_text: str, kwargs_text: str, serializer: str, compression: str | None
    ) -> dict[str, str]:
        """Return the texts for the gaps of arguments, which are JSON; raises what Celery or kombu raise for them."""
        args = [] if args_text == "[]" else json.loads(args_text)
        kwargs = {} if kwargs_text == "{}" else json.loads(kwargs_text)
        if (task := self._tasks.get(task_name)) is not None and task.typing:
            # Celery's own check of the arguments (celery/app/task.py ``Task.apply_async``).
            task.__header__(*args, **kwargs)
        args_shown, kwargs_shown = self._shown(task_name, (args_text, args), (kwargs_text, kwargs))
        # By kombu's own encoder: what its ``dumps`` adds is known from the first message.
        data: Any = _registry._encoders[serializer].encoder(
            (args or (), kwargs, _NO_CALLBACKS), **_FAST.get(serializer, {})
        )
        if compression:
            data = compress(data, compression)[0]
        body = base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()
        return {"args": escaped(args_shown), "kwargs": escaped(kwargs_shown), "body": body}

    def _shown(self, task_name: str, args: tuple[str, Any], kwargs: tuple[str, Any]) -> tuple[str, str]:
        """Return how Celery shows arguments, each given as its text and its value."""
        amqp = self._app.amqp
        longest = min(amqp.argsrepr_maxsize, amqp.kwargsrepr_maxsize)
        if _is_flat(args[0], longest) and _is_flat(kwargs[0], longest):
            shown = repr(args[1] or ()), repr(kwargs[1])
            # A number may be shown longer than it is written, such as 1e15.
            if max(map(len, shown)) <= longest:
                return shown
        headers = amqp.create_task_message("", task_name, args[1], kwargs[1]).headers
        return headers["argsrepr"], headers["kwargsrepr"]


def _is_flat(text: str, longest: int) -> bool:
    """Say whether Celery shows the values of a JSON text as Python does (celery/utils/saferepr.py).

    Celery shortens long and deep values and does not escape characters, and takes thirty times as long. ``longest`` is
    the number of characters that it shows.
    """
    return (
        # Python's text may be longer than JSON's, which needs no spaces.
        2 * len(text) <= longest
        and text.count("[") + text.count("{") == 1
        and "\\" not in text
        and "'" not in text
        and text.isprintable()
    )


def escaped(text: str) -> str:
    """Return a text as JSON writes it, without its quotes."""
    return encode_basestring_ascii(text)[1:-1]
