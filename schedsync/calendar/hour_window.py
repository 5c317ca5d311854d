"""When stock Beat has a crontab in memory: by django_celery_beat/schedulers.py ``DatabaseScheduler``.

Stock Beat loads a crontab whose hour is one plain number only during a window around that hour. Imports no Celery.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

#: Loaded so many hours before and after the crontab's hour, as the server has it.
LOADED_AROUND = 2
#: What falls on this hour of the server is always loaded.
ALWAYS_LOADED_HOUR = 4
#: The day whose offset stands for a zone's all year.
_OFFSETS_OF = datetime(2023, 1, 1, 12)


def believed_offset(zone: ZoneInfo) -> int:
    """Return the offset from UTC that django-celery-beat takes a zone to have, in whole hours, truncated."""
    offset = _OFFSETS_OF.replace(tzinfo=zone).utcoffset()
    return int(offset.total_seconds() / 3600) if offset else 0
