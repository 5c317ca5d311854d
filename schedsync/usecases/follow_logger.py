"""The log lines of an agent that follows several things, or has several databases, say which they are about."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

#: The name of the only follow of an agent that has no configuration.
DEFAULT = "default"

if TYPE_CHECKING:
    _Adapter = logging.LoggerAdapter[logging.Logger]
else:
    _Adapter = logging.LoggerAdapter


class FollowLogger(_Adapter):
    """Logs lines about one follow: each has the field ``follow``, and begins with its name if it has one."""

    def __init__(self, module: str, follow: str) -> None:
        super().__init__(logging.getLogger(module), {})
        self.follow = follow

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Add the name to a line."""
        fields = {**(kwargs.get("extra") or {}), "follow": self.follow}
        return (msg if self.follow == DEFAULT else f"{self.follow}: {msg}"), {**kwargs, "extra": fields}


class DatabaseLogger(_Adapter):
    """Logs lines about one database: each begins with its alias, unless that is None."""

    def __init__(self, module: str, using: str | None) -> None:
        super().__init__(logging.getLogger(module), {})
        self.start = "" if using is None else f"database `{using}`: "

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Add the alias to a line."""
        return f"{self.start}{msg}", kwargs
