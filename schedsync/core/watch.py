"""What services are to watch, what is known of the monitors that they have, and what is to be done about it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from schedsync.core.monitor import Monitor
from schedsync.core.schedule import canonical_json
from schedsync.core.timing import Timing

Kind = Literal["create", "change", "delete", "forget"]


class Wanted(NamedTuple):
    """The monitor that a schedule shall have; ``row_id`` is that of its row, None before the row is there."""

    row_id: int | None
    name: str
    set: str
    environment: str | None
    timing: Timing
    monitor: Monitor
    muted: bool = False


class Seen(NamedTuple):
    """A monitor as a service lists it; ``body`` is in the form that we send.

    ``mark`` is what we write on a monitor to know it again, empty where it has none or the service has no place for it.
    """

    id: str
    slug: str
    mark: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A monitor as our table has it.

    ``digest`` is that of what was sent, empty where that failed or is not done yet. ``made`` is False where the service
    had the monitor before: it is never deleted.
    """

    pk: int
    service: str
    row_id: int
    set: str
    name: str
    slug: str
    remote_id: str
    digest: str
    made: bool
    error: str = ""


class Step(NamedTuple):
    """One thing to do at a service; ``wanted`` is None for a monitor that goes, ``recorded`` for one that is new.

    ``reason`` says what is not plain from the kind: that somebody deleted or changed it at the service.
    """

    kind: Kind
    service: str
    name: str
    wanted: Wanted | None = None
    recorded: Recorded | None = None
    reason: str = ""


class Failure(NamedTuple):
    """What a service could not be told; ``name`` is empty where that holds for all of its monitors."""

    service: str
    name: str
    message: str


@dataclass(frozen=True, slots=True)
class Settled:
    """What was done at the services, and what waits for the next apply; ``done`` counts by kind."""

    done: Mapping[Kind, int]
    failures: tuple[Failure, ...] = ()
    waiting: int = 0

    @property
    def is_silent(self) -> bool:
        """Whether there is nothing to say."""
        return not (any(self.done.values()) or self.failures or self.waiting)


def digest_of(body: Mapping[str, Any]) -> str:
    """Return the digest of what is sent to a service."""
    return hashlib.sha256(canonical_json(body).encode()).hexdigest()
