"""Where a run pings Healthchecks. Sentry needs none: its SDK sends the check-ins."""

from __future__ import annotations

from typing import Final, Literal

from schedsync.monitors.settings import given
from schedsync.monitors.slugs import healthchecks_slug

_HOSTED: Final = "https://hc-ping.com"


def ping_url(schedule: str, signal: Literal["start", "success", "fail"] = "success") -> str | None:
    """Return the address that says that a run of a schedule starts, succeeded, or failed.

    Returns None where ``SCHEDSYNC_MONITORS`` names no Healthchecks with a `ping_key`; raises WrongUsage where the
    setting is not valid.
    """
    values = given().get("healthchecks", {})
    key = values.get("ping_key")
    if not key:
        return None
    default = f"{values['url'].rstrip('/')}/ping" if "url" in values else _HOSTED
    base = values.get("ping_url", default).rstrip("/")
    address = f"{base}/{key}/{healthchecks_slug(schedule, values.get('prefix', ''))}"
    return address if signal == "success" else f"{address}/{signal}"
