"""Sentry Crons, by its web API. Its SDK sends the check-ins, also for our own Beat, with `monitor_beat_tasks`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from schedsync.core.crontab import FIELDS, CrontabError, split
from schedsync.core.timing import Crontab, Interval, TimingError, crontab
from schedsync.core.watch import Seen, Wanted
from schedsync.http.client import Client, texts
from schedsync.monitors.service import ServiceError
from schedsync.monitors.slugs import sentry_slug

_LONGEST_NAME: Final = 128
_MINUTE: Final = 60 * 10**6
#: In minutes; the units in which the SDK counts too.
_UNITS: Final = (("day", 1_440), ("hour", 60), ("minute", 1))
#: 100 monitors a page.
_MOST_PAGES: Final = 200
_CURSOR: Final = re.compile(r'cursor="([0-9:.-]{1,200})"\Z')
_CONFIG: Final = ("schedule_type", "schedule", "checkin_margin", "max_runtime", "timezone")


@dataclass(frozen=True)
class Sentry:
    """One project of an organization at Sentry."""

    client: Client
    organization: str
    project: str
    name: str = "sentry"

    @property
    def _monitors(self) -> str:
        return f"/api/0/organizations/{quote(self.organization, safe='')}/monitors/"

    def slug(self, name: str) -> str:
        """Return the slug under which Sentry files the check-ins of the schedule."""
        return sentry_slug(name)

    def body(self, wanted: Wanted) -> dict[str, Any]:
        """Return all that the monitor shall be; Sentry counts in minutes, which are rounded up."""
        config: dict[str, Any] = {
            "checkin_margin": -(-wanted.monitor.grace // 60),
            "max_runtime": -(-wanted.monitor.max_runtime // 60),
        }
        if isinstance(wanted.timing, Crontab):
            timing = {"schedule_type": "crontab", "schedule": wanted.timing.expression}
            config |= timing | {"timezone": wanted.timing.timezone}
        else:
            assert isinstance(wanted.timing, Interval)
            config |= {"schedule_type": "interval", "schedule": _interval(wanted.timing), "timezone": "UTC"}
        return {
            "project": self.project,
            "name": wanted.name[:_LONGEST_NAME],
            "slug": self.slug(wanted.name),
            "type": "cron_job",
            "is_muted": wanted.muted,
            "config": config,
        }

    def mark(self, _wanted: Wanted) -> str:
        """Return nothing: a monitor has no place for a mark."""
        return ""

    def listed(self) -> Iterator[Seen]:
        """Yield the monitors of the project, page after page."""
        cursor = ""
        for _ in range(_MOST_PAGES):
            answer = self.client.send("GET", f"{self._monitors}?per_page=100{cursor}")
            if not isinstance(answer.data, list):
                raise ServiceError("its answer has no monitors")
            for monitor in answer.data:
                project = monitor.get("project") if isinstance(monitor, dict) else None
                if isinstance(project, dict) and project.get("slug") == self.project:
                    yield _seen(monitor)
            found = _next_cursor(answer.headers.get("link", ""))
            if found is None:
                return
            cursor = f"&cursor={quote(found)}"
        raise ServiceError(f"it has more than {_MOST_PAGES * 100:,} monitors")

    def make(self, wanted: Wanted) -> str:
        """Make a monitor; returns its id. Raises ServiceError without a slug that Sentry takes."""
        _check_slug(self.slug(wanted.name))
        return _id(self.client.send("POST", self._monitors, self.body(wanted), (201,)).data)

    def change(self, remote_id: str, wanted: Wanted) -> None:
        """Bring a monitor into the wanted state."""
        _check_slug(self.slug(wanted.name))
        self.client.send("PUT", f"{self._monitors}{quote(remote_id, safe='')}/", self.body(wanted))

    def delete(self, remote_id: str) -> None:
        """Delete a monitor; Sentry does it in the background."""
        path = f"{self._monitors}{quote(remote_id, safe='')}/"
        self.client.send("DELETE", path, expected=(200, 202, 204, 404))

    def differs(self, seen: Seen, wanted: Wanted) -> bool:
        """Say whether a monitor is not as it is wanted; one without any check-in has no place for `is_muted`."""
        body = self.body(wanted)
        plain = any(seen.body.get(key) != body[key] for key in ("name", "slug"))
        muted = "is_muted" in seen.body and seen.body["is_muted"] != body["is_muted"]
        return plain or muted or _in_our_spelling(seen.body["config"]) != body["config"]


def _interval(timing: Interval) -> list[Any]:
    minutes = timing.microseconds // _MINUTE
    unit, size = next((unit, size) for unit, size in _UNITS if minutes % size == 0)
    return [minutes // size, unit]


def _in_our_spelling(config: dict[str, Any]) -> dict[str, Any]:
    """Return the config of a monitor with its crontab as we write it: a check-in brings the spelling of the row."""
    if config["schedule_type"] != "crontab":
        return config
    try:
        given = [field for field, _ in split(str(config["schedule"]))]
        names = [field.name for field in FIELDS]
        timing = crontab(dict(zip(names, given, strict=True)), str(config["timezone"] or "UTC"))
    except (CrontabError, TimingError):
        return config
    return {**config, "schedule": timing.expression, "timezone": timing.timezone}


def _seen(monitor: dict[str, Any]) -> Seen:
    name, slug = texts(monitor, "name", "slug")
    config = monitor.get("config")
    config = config if isinstance(config, dict) else {}
    body: dict[str, Any] = {"name": name, "slug": slug, "config": {key: config.get(key) for key in _CONFIG}}
    if body["config"]["schedule_type"] == "interval":
        # An interval has no zone; Sentry leaves out what is not set.
        body["config"]["timezone"] = "UTC"
    if monitor.get("environments") and isinstance(monitor.get("isMuted"), bool):
        body["is_muted"] = monitor["isMuted"]
    return Seen(_id(monitor), slug, "", body)


def _id(monitor: Any) -> str:
    (found,) = texts(monitor, "id")
    if not 0 < len(found) <= 100:
        raise ServiceError("its answer has an id that is none")
    return found


def _next_cursor(link: str) -> str | None:
    """Return the cursor of the next page, None on the last one."""
    for part in link.split(","):
        words = [word.strip() for word in part.split(";")]
        if 'rel="next"' in words and 'results="true"' in words:
            found = [match[1] for word in words if (match := _CURSOR.match(word))]
            return found[0] if found else None
    return None


def _check_slug(slug: str) -> None:
    if not slug or slug.isdigit():
        raise ServiceError("Sentry has no slug for this name: it needs an ASCII letter; rename the schedule")
