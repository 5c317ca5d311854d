"""A managed schedule that somebody has opened for editing in the admin, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

#: The verb of the audit record, and the kind of its document; and those of the end.
OPENED, CLOSED = "break_glass", "break_glass_ended"


@dataclass(frozen=True, slots=True)
class Opened:
    """The name of the schedule in the ledger, and who opened it, when and why."""

    name: str
    reason: str
    who: str
    since: datetime

    def document(self, kind: str) -> Mapping[str, Any]:
        """Return the document of an audit record, of the kind ``OPENED`` or ``CLOSED``."""
        return {"kind": kind, "name": self.name, "opened_by": self.who, "reason": self.reason}
