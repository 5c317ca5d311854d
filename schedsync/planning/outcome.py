"""What an apply wrote, and whether the tables still hold it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from schedsync.core.change import KINDS, Change
from schedsync.core.watch import Settled


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an apply wrote, and whether the tables still hold it.

    ``settled`` is the number of seconds after which the tables were read again, when Beat had polled; 0 for never.
    ``repaired`` are names that somebody wrote back and that were applied again, ``unconfirmed`` those that the tables
    still do not hold. ``loaded`` are the Beats that have loaded the change, None where the apply did not wait;
    ``behind`` are those that did not in time. ``monitors`` is what was done at the services that watch schedules, None
    where that was not tried. ``who`` applied it, at the instant ``at``.
    """

    changes: tuple[Change, ...] = ()
    run: uuid.UUID | None = None
    checksum: str = ""
    settled: float = 0.0
    repaired: tuple[str, ...] = ()
    unconfirmed: tuple[str, ...] = ()
    loaded: tuple[str, ...] | None = None
    behind: tuple[str, ...] = ()
    monitors: Settled | None = None
    who: str | None = None
    at: datetime | None = None

    @property
    def is_loaded(self) -> bool:
        """Whether every Beat has loaded the change, or the apply did not wait for them."""
        return self.loaded is None or bool(self.loaded and not self.behind)

    def summary(self) -> dict[str, int]:
        """Count the changes by kind."""
        return {kind: sum(change.kind == kind for change in self.changes) for kind in KINDS}
