"""What the files of a set said when they were applied last, packed: it is read where there are no files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from schedsync.core.origin import recorded_text


@dataclass(frozen=True, slots=True)
class AppliedFiles:
    """The files of a set in one environment at their last apply.

    ``commit`` is as the tables record it. ``digest`` is that of the schedules and their places,
    empty where the files define none: then nothing is kept. ``desired`` and
    ``load`` are documents, packed; both are empty where they were too large to be kept.
    """

    set: str
    environment: str | None
    commit: str | None
    at: datetime
    digest: str
    desired: bytes = b""
    load: bytes = b""

    @property
    def commit_text(self) -> str:
        """The commit as people read it; empty where it is not known."""
        return recorded_text(self.commit)
