"""One change to write into a file: where it is meant, what it shall say, and that it cannot be written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from schedsync.core.acceptance import Acceptance
from schedsync.core.observed import Typed
from schedsync.core.schedule import Spec, Template


class CannotAccept(Exception):
    """Changes that cannot be written into their file.

    ``reasons`` says by the name of each schedule why; it is empty where ``reason`` does not tell which one is at fault.
    """

    def __init__(self, reason: str, reasons: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.reason, self.reasons = reason, reasons or {}


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a change is meant: the environment whose table holds it, all that are declared, and whether all get it.

    ``zone`` is the one in which new instants are written, ``typed`` are columns by the ids of their rows.
    """

    environment: str | None
    environments: tuple[str, ...]
    everywhere: bool
    zone: tzinfo
    typed: Mapping[int, Typed] = field(default_factory=dict)

    @property
    def others(self) -> tuple[str, ...]:
        """The environments that must not change."""
        if self.environment is None or self.everywhere:
            return ()
        return tuple(name for name in self.environments if name != self.environment)


@dataclass(frozen=True, slots=True)
class Piece:
    """One change to write into a file.

    ``definition`` is its key below ``schedules``, ``template`` its placeholders if that has a ``for_each``. ``others``
    are the other environments that have the schedule. ``filled`` are the fields of its definition with the placeholders
    filled, ``spec`` is what it shall say, None where it goes.
    """

    acceptance: Acceptance
    definition: str
    template: Template | None = None
    others: tuple[str, ...] = ()
    filled: Mapping[str, Any] = field(default_factory=dict)
    spec: Spec | None = None

    @property
    def name(self) -> str:
        """The name of the schedule in the file, before."""
        return self.acceptance.name

    @property
    def stays(self) -> bool:
        """Whether the file has the schedule afterwards, in another environment perhaps."""
        return self.acceptance.kind != "remove" or bool(self.others)
