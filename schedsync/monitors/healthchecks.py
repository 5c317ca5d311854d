"""Healthchecks, by its Management API v3."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from schedsync.core.timing import Crontab, Interval
from schedsync.core.watch import Seen, Wanted
from schedsync.http.client import Client, texts
from schedsync.monitors.service import ServiceError
from schedsync.monitors.slugs import healthchecks_slug

_CHECKS: Final = "/api/v3/checks/"
_LONGEST_NAME: Final = 100
_SECOND: Final = 10**6
_TIMING: Final = ("timeout", "schedule", "tz")
_COMPARED: Final = ("name", "slug", "tags", "grace", "timeout", "schedule", "tz", "manual_resume")


@dataclass(frozen=True)
class Healthchecks:
    """One project of Healthchecks; ``channels`` are the integrations that a new check alarms, `*` for all.

    ``prefix`` begins each slug: projects of several environments can share one account.
    """

    client: Client
    channels: str = "*"
    prefix: str = ""
    name: str = "healthchecks"

    def slug(self, name: str) -> str:
        """Return the slug of a schedule's check."""
        return healthchecks_slug(name, self.prefix)

    def body(self, wanted: Wanted) -> dict[str, Any]:
        """Return all that the check shall be.

        The grace also covers the run: without a ping at its start, a run that takes long looks like one that is late.
        """
        body = {
            "name": wanted.name[:_LONGEST_NAME],
            "slug": self.slug(wanted.name),
            "tags": self.mark(wanted),
            "grace": wanted.monitor.grace + wanted.monitor.max_runtime,
            # A ping of a run by hand must not end the pause.
            "manual_resume": True,
            "paused": wanted.muted,
        }
        if isinstance(wanted.timing, Crontab):
            return body | {"schedule": wanted.timing.expression, "tz": wanted.timing.timezone}
        assert isinstance(wanted.timing, Interval)
        return body | {"timeout": wanted.timing.microseconds // _SECOND}

    def mark(self, wanted: Wanted) -> str:
        """Return the tags of a check, which name its set and environment."""
        place = [f"set:{healthchecks_slug(wanted.set)}"]
        if wanted.environment:
            place.append(f"environment:{healthchecks_slug(wanted.environment)}")
        return " ".join(["schedsync", *place])

    def listed(self) -> Iterator[Seen]:
        """Yield the checks of the project: the API gives all of them at once."""
        data = self.client.send("GET", _CHECKS).data
        checks = data.get("checks") if isinstance(data, dict) else None
        if not isinstance(checks, list):
            raise ServiceError("its answer has no checks")
        for check in checks:
            if not isinstance(check, dict) or not {"update_url", "uuid"} & check.keys():
                raise ServiceError("its answer shows no ids: the key is a read-only one")
            body = {key: check[key] for key in _COMPARED if key in check}
            body["paused"] = check.get("status") == "paused"
            slug = check.get("slug")
            tags = str(check.get("tags", ""))
            mark = tags if "schedsync" in tags.split() else ""
            yield Seen(_id(check), slug if isinstance(slug, str) else "", mark, body)

    def make(self, wanted: Wanted) -> str:
        """Make a check, or take the one that a crashed apply has made; returns its id."""
        body = {**_sent(self.body(wanted)), "channels": self.channels, "unique": ["slug"]}
        check = self.client.send("POST", _CHECKS, body, (200, 201)).data
        remote_id = _id(check)
        if wanted.muted:
            self._pause(remote_id, paused=True)
        return remote_id

    def change(self, remote_id: str, wanted: Wanted) -> None:
        """Bring a check into the wanted state."""
        self.client.send("POST", f"{_CHECKS}{remote_id}", _sent(self.body(wanted)))
        self._pause(remote_id, paused=wanted.muted)

    def _pause(self, remote_id: str, *, paused: bool) -> None:
        # 409: it is not paused.
        self.client.send("POST", f"{_CHECKS}{remote_id}/{'pause' if paused else 'resume'}", {}, (200, 409))

    def delete(self, remote_id: str) -> None:
        """Delete a check."""
        self.client.send("DELETE", f"{_CHECKS}{remote_id}", expected=(200, 404))

    def differs(self, seen: Seen, wanted: Wanted) -> bool:
        """Say whether a check is not as it is wanted; what this version of the service does not know is left out."""
        body = self.body(wanted)
        if any(seen.body.get(key) != body.get(key) for key in _TIMING):
            return True
        return any(key in seen.body and seen.body[key] != value for key, value in body.items())


def _sent(body: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != "paused"}


def _id(check: Any) -> str:
    """Return the id of a check: its own field in newer versions, else the end of its address."""
    if isinstance(check, dict) and isinstance(check.get("uuid"), str):
        found = str(check["uuid"])
    else:
        (address,) = texts(check, "update_url")
        found = address.rpartition("/")[2]
    if not found.replace("-", "").isalnum() or len(found) > 100:
        raise ServiceError("its answer has an id that is none")
    return found
