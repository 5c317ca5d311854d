"""``USE_TZ``: without it Django reads the instants of the tables without a zone, and Beat shifts runs or crashes."""

from __future__ import annotations

from django.conf import settings

from schedsync.core.finding import Finding
from schedsync.errors import WrongUsage

USE_TZ_OFF = Finding(
    "SS301", "`USE_TZ` is off: Beat crashes, or first runs come at a wrong time", hint="set `USE_TZ = True`"
)


def require_use_tz() -> None:
    """Raise WrongUsage where ``USE_TZ`` is off; called before anything is read from or written to the tables."""
    if not settings.USE_TZ:
        raise WrongUsage(f"{USE_TZ_OFF.message} ({USE_TZ_OFF.code})", hint=USE_TZ_OFF.hint)
