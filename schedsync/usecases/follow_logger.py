"""The log lines of an agent that follows several things say which of them they are about."""

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
