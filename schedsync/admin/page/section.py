"""A section of the page, and what it may know of the request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from schedsync.core.status import Status
from schedsync.usecases.status import status


@dataclass(frozen=True)
class Seen:
    """One request: the database's alias, the time in UTC, the user, the admin site, and its GET parameters."""

    using: str
    now: datetime
    user: Any
    site: Any
    query: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def status(self) -> Status:
        """How Beat and the schedules are doing, read once for all sections."""
        return status(self.using)


@dataclass(frozen=True)
class Section:
    """A part of the page: a key that is unique on it, the heading, the template, and the values for it."""

    key: str
    title: str
    template: str
    context: Mapping[str, Any] = field(default_factory=dict)
