"""The setting ``SCHEDSYNC_MONITORS``: the services that watch schedules, with their keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings

from schedsync.errors import WrongUsage
from schedsync.http.settings import require_urllib3

if TYPE_CHECKING:
    from schedsync.monitors.service import Service

SETTING: Final = "SCHEDSYNC_MONITORS"
_KEYS: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "sentry": (("token", "organization", "project"), ("url",)),
    "healthchecks": (("key",), ("url", "channels", "prefix", "ping_key", "ping_url")),
}
_URLS: Final = {"sentry": "https://sentry.io", "healthchecks": "https://healthchecks.io"}
_URL: Final = re.compile(r"https?://[^\s/?#@]{1,255}(?:/[^\s?#]{0,500})?\Z")
_PREFIX: Final = re.compile(r"[a-z0-9_-]{0,40}\Z")
_PING_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,100}\Z")
#: For how many seconds one call may talk to the services.
_SECONDS: Final = 60.0
_HINT: Final = "see docs/guides/monitors.md"


def service_names() -> tuple[str, ...]:
    """Return the names of the services that the settings give; raises WrongUsage where they are not valid."""
    return tuple(given())


def services() -> list[Service]:
    """Return the services that the settings give; raises WrongUsage where they are not valid, or urllib3 is missing."""
    values_of = given()
    if not values_of:
        return []
    require_urllib3(SETTING, "monitors")
    # Loaded here: only a call that talks to a service needs it.
    from schedsync.http.client import Budget, Client
    from schedsync.monitors.healthchecks import Healthchecks
    from schedsync.monitors.sentry import Sentry

    budget = Budget(_seconds())
    found: list[Service] = []
    for name, values in values_of.items():
        secret = values["token" if name == "sentry" else "key"]
        headers = {"Authorization": f"Bearer {secret}"} if name == "sentry" else {"X-Api-Key": secret}
        client = Client(values.get("url", _URLS[name]).rstrip("/"), headers, (secret,), budget)
        if name == "sentry":
            found.append(Sentry(client, values["organization"], values["project"]))
        else:
            found.append(Healthchecks(client, values.get("channels", "*"), values.get("prefix", "")))
    return found


def _value() -> Mapping[str, Any]:
    value = getattr(settings, SETTING, None) or {}
    if not isinstance(value, Mapping):
        raise WrongUsage(f"{SETTING} is no mapping of services", hint=_HINT)
    return value


def _seconds() -> float:
    seconds = _value().get("seconds", _SECONDS)
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds <= 3600:
        raise WrongUsage(f"`seconds` of {SETTING} is a number of at most 3600", hint=_HINT)
    return float(seconds)


def given() -> dict[str, dict[str, str]]:
    """Return what the setting says of each service; raises WrongUsage where it is not valid.

    An error never shows a value: it can be a secret in the wrong place.
    """
    _seconds()
    found = {}
    for name, values in _value().items():
        if name == "seconds":
            continue
        if name not in _KEYS:
            raise WrongUsage(f"{SETTING} names an unknown service; known: {', '.join(_KEYS)}", hint=_HINT)
        required, optional = _KEYS[name]
        if not isinstance(values, Mapping):
            raise WrongUsage(f"`{name}` of {SETTING} is no mapping", hint=_HINT)
        if unknown := [key for key in values if key not in (*required, *optional)]:
            raise WrongUsage(f"`{name}` of {SETTING} has {len(unknown)} unknown keys", hint=_HINT)
        for key in required:
            if not values.get(key):
                raise WrongUsage(f"`{name}` of {SETTING} has no `{key}`", hint=_HINT)
        for key, value in values.items():
            _check(name, key, value)
        found[name] = {key: str(value) for key, value in values.items()}
    return found


def _check(name: str, key: str, value: object) -> None:
    pattern = {"url": _URL, "ping_url": _URL, "prefix": _PREFIX, "ping_key": _PING_KEY}.get(key)
    is_text = isinstance(value, str) and value.isprintable() and value.isascii()
    if not is_text or (pattern and not pattern.match(str(value))):
        raise WrongUsage(f"`{key}` of `{name}` in {SETTING} is not valid", hint=_HINT)
