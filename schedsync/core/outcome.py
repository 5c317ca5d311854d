"""What an apply did, and how verification ended."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from schedsync.core.change import KINDS, Change


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was written, and how verification ended.

    ``repaired`` are names that were written back once and hold now, ``unconfirmed`` those that still do not hold;
    ``settled`` says that it was looked at once more after a poll of Beat.
    """

    changes: tuple[Change, ...] = ()
    run: uuid.UUID | None = None
    checksum: str = ""
    settled: bool = False
    repaired: tuple[str, ...] = ()
    unconfirmed: tuple[str, ...] = ()

    def summary(self) -> dict[str, int]:
        """Count the changes by kind."""
        return {kind: sum(change.kind == kind for change in self.changes) for kind in KINDS}
