"""When stock Beat has a crontab in memory, by django_celery_beat/schedulers.py ``DatabaseScheduler``.

Stock Beat loads a crontab whose hour is one plain number only in the hours around it. Imports no Celery.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

#: Hours before and after the crontab's hour, by the server's clock, in which Beat loads it.
LOADED_AROUND = 2
#: Crontabs with this hour, by the server's clock, are always loaded.
ALWAYS_LOADED_HOUR = 4
#: django-celery-beat takes a zone's offset on this day for its offset all year.
_OFFSETS_OF = datetime(2023, 1, 1, 12)


def believed_offset(zone: ZoneInfo) -> int:
    """Return the offset from UTC that django-celery-beat takes a zone to have, in whole hours, truncated."""
    offset = _OFFSETS_OF.replace(tzinfo=zone).utcoffset()
    return int(offset.total_seconds() / 3600) if offset else 0
