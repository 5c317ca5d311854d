"""What a service must do: list its monitors, make, change and delete one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from schedsync.core.watch import Seen, Wanted
from schedsync.http.errors import ServiceAway, ServiceError

__all__ = ["Service", "ServiceAway", "ServiceError"]


class Service(Protocol):
    """One service with its keys. Methods that ask the service raise ServiceError."""

    @property
    def name(self) -> str:
        """The word for it in the settings, the table and the output."""
        ...

    def slug(self, name: str) -> str:
        """Return the slug of a schedule's monitor."""
        ...

    def body(self, wanted: Wanted) -> dict[str, Any]:
        """Return all that the monitor shall be, as JSON values without a secret."""
        ...

    def mark(self, wanted: Wanted) -> str:
        """Return the mark of the set and environment that a monitor bears, empty where it can bear none."""
        ...

    def listed(self) -> Iterator[Seen]:
        """Yield the monitors of the project."""
        ...

    def make(self, wanted: Wanted) -> str:
        """Make a monitor; returns its id."""
        ...

    def change(self, remote_id: str, wanted: Wanted) -> None:
        """Bring a monitor into the wanted state, its name and slug too."""
        ...

    def delete(self, remote_id: str) -> None:
        """Delete a monitor; one that is gone already is no error."""
        ...

    def differs(self, seen: Seen, wanted: Wanted) -> bool:
        """Say whether a monitor at the service is not as it is wanted."""
        ...
