"""A set that is frozen, in words."""

from __future__ import annotations

from datetime import datetime

from schedsync.core.status import FrozenSet
from schedsync.render.words import printable, time_text


def frozen_text(frozen: FrozenSet, now: datetime) -> str:
    """Write that nothing of a set is applied, until when, and why."""
    where = f" in {printable(frozen.environment)}" if frozen.environment else ""
    until = f"until {time_text(frozen.until, now)}" if frozen.until else "without an end"
    return f"no apply of {printable(frozen.set)}{where} {until}: {printable(frozen.reason)}"
