"""What an apply did, and how verification ended."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from schedsync.core.change import KINDS, Change


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was written, and how verification ended.

    ``repaired`` are names that were written back once and hold now, ``unconfirmed`` those that still do not hold;
    ``settled`` says that it was looked at once more after a poll of Beat. Where Beats were waited for, ``loaded`` are
    those that have loaded the change, ``behind`` those that have not in time, and None stands for no waiting.
    """

    changes: tuple[Change, ...] = ()
    run: uuid.UUID | None = None
    checksum: str = ""
    settled: bool = False
    repaired: tuple[str, ...] = ()
    unconfirmed: tuple[str, ...] = ()
    loaded: tuple[str, ...] | None = None
    behind: tuple[str, ...] = ()

    @property
    def is_loaded(self) -> bool:
        """Whether no Beat was waited for in vain."""
        return self.loaded is None or bool(self.loaded and not self.behind)

    def summary(self) -> dict[str, int]:
        """Count the changes by kind."""
        return {kind: sum(change.kind == kind for change in self.changes) for kind in KINDS}
