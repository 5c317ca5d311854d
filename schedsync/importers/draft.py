"""An entry of a file before it is text, and what a source holds that no file gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schedsync.core.observed import Typed
from schedsync.core.schedule import Spec


@dataclass(frozen=True, slots=True)
class Draft:
    """One entry under ``schedules``: its name as it is written, its fields, and notes that become comments.

    ``specs`` are the schedules that our reader must make of it, by name: several where it has a ``for_each``.
    """

    name: str
    fields: Mapping[str, Any]
    specs: Mapping[str, Spec]
    notes: tuple[str, ...] = ()

    @property
    def spec(self) -> Spec:
        """The first of its schedules; all have one task."""
        return next(iter(self.specs.values()))


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A name that no file gets, and why; ``of`` says where it would belong, None where that is not known."""

    name: str
    reason: str
    of: Spec | Typed | None = None


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that looks like a secret: the schedule's name, and the path of the value, such as ``kwargs.token``."""

    name: str
    path: str
