"""Tells waiting Beats that something changed, where the database or Redis can; the others find it by their poll."""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings
from django.db import connections

logger = logging.getLogger(__name__)

CHANNEL = "schedsync"


def leader_setting() -> str | None:
    """Return where Beat's lease lives: "database", a URL of Redis, or None for no election."""
    found: str | None = getattr(settings, "SCHEDSYNC_LEADER", "database")
    return found


def in_redis(leader: str | None) -> str | None:
    """Return the setting where it is a URL of Redis."""
    return leader if isinstance(leader, str) and "://" in leader else None


def notify(using: str) -> None:
    """Tell Beats when the caller's transaction commits: by PostgreSQL's NOTIFY."""
    if connections[using].vendor == "postgresql":
        with connections[using].cursor() as cursor:
            cursor.execute(f"NOTIFY {CHANNEL}")


def publish() -> None:
    """Tell Beats by the Redis that holds their lease, after a commit; one that is away does no harm."""
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
    """Pass on what django-celery-beat says of a change, such as one in the admin."""
    notify(using)
