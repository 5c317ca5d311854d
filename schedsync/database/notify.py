"""Tells Beats that the tables changed: by the change row that every Beat polls, by PostgreSQL's NOTIFY, by Redis."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connections
from django.db.models import F, Value
from django.db.models.functions import Greatest
from django_celery_beat.models import PeriodicTasks

logger = logging.getLogger(__name__)

CHANNEL = "schedsync"


def leader_setting() -> str | None:
    """Return where Beat's lease is kept: "database", a URL of Redis, or None for no election."""
    leader: str | None = getattr(settings, "SCHEDSYNC_LEADER", "database")
    return leader


def in_redis(leader: str | None) -> str | None:
    """Return the setting if it is a URL of Redis, else None."""
    return leader if isinstance(leader, str) and "://" in leader else None


def bump(using: str, now: datetime) -> bool:
    """Move the change row forward, so that Beats reload; returns whether the row had to be made.

    Beat reloads only where ``last_update`` is later than the value it saw (``schedule_changed`` in
    django_celery_beat/schedulers.py). So the new time is later than the old one, even where this machine's clock lags.
    """
    rows = PeriodicTasks.objects.using(using)
    later = Greatest(Value(now), F("last_update") + timedelta(microseconds=1))
    made = not rows.filter(ident=1).update(last_update=later)
    if made:
        rows.bulk_create([PeriodicTasks(ident=1, last_update=now)])
    notify(using)
    return made


def notify(using: str) -> None:
    """Send PostgreSQL's NOTIFY, which Beats receive when the caller's transaction commits; else do nothing."""
    if connections[using].vendor == "postgresql":
        with connections[using].cursor() as cursor:
            cursor.execute(f"NOTIFY {CHANNEL}")


def publish() -> None:
    """Tell Beats through the Redis that keeps their lease, after a commit; without it they notice by polling."""
    url = in_redis(leader_setting())
    if url is None:
        return
    import redis

    try:
        with redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1) as client:
            client.publish(CHANNEL, "")
    except (redis.RedisError, OSError) as error:
        logger.info("Redis was not told: %s", error)


def on_bump(using: str, **_details: Any) -> None:
    """Send NOTIFY when django-celery-beat saves the change row, for example after an edit in the admin."""
    notify(using)
