"""The setting SCHEDSYNC_NOTIFY: the services, and which alarms they get. Their URLs are secrets."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from schedsync.core.alarm import AlarmRules, Kind
from schedsync.core.finding import Finding, did_you_mean
from schedsync.core.names import shortened
from schedsync.core.quiet_hours import QuietHoursError, quiet_hours
from schedsync.core.timing import TimingError, duration

SETTING = "SCHEDSYNC_NOTIFY"
#: The package of the extra.
INSTALL = "install `schedsync[notify]`"
_MOST_SERVICES, _LONGEST_URL, _LONGEST_TEXT = 20, 2000, 65_536
_SHORTEST, _LONGEST = timedelta(hours=1), timedelta(days=14)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,29})://", re.ASCII)


class SecretUrl:
    """The URL of a service; only its scheme is ever shown, as the name of the service."""

    __slots__ = ("name", "url")

    def __init__(self, url: str, name: str) -> None:
        self.url = url
        self.name = name

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class NotifySetting:
    """The services, the rules, and how many letters one process sends in an hour at most."""

    services: tuple[SecretUrl, ...]
    rules: AlarmRules = field(default_factory=AlarmRules)
    most_per_hour: int = 20


def notify_setting() -> NotifySetting | None:
    """Return SCHEDSYNC_NOTIFY, a Django setting or an environment variable; None if no alarms are to be sent.

    Raises ImproperlyConfigured if it cannot be used, without any part of a URL, or if Apprise is not installed.
    """
    value = getattr(settings, SETTING, None) or _of_text(os.environ.get(SETTING, ""))
    if not value:
        return None
    if isinstance(value, (list, tuple, str)):
        value = {"urls": [value] if isinstance(value, str) else value}
    if not isinstance(value, Mapping):
        raise _unusable("give a list of URLs, or a mapping with `urls`")
    if unknown := sorted(str(key) for key in value if key not in {"urls", *_READERS}):
        # Somebody may have put a URL here.
        name = f" `{shortened(unknown[0], 40)}`" if unknown[0].isidentifier() else ""
        hint = did_you_mean(unknown[0], ["urls", *_READERS]) if name else ""
        raise _unusable(f"unknown key{name}{f': {hint}' if hint else ''}")
    services = _services(value.get("urls"))
    if find_spec("apprise") is None:
        raise ImproperlyConfigured(f"{SETTING} needs Apprise: {INSTALL}")
    read = {key: reader(value[key]) for key, reader in _READERS.items() if key in value}
    most = {"most_per_hour": read.pop("most_per_hour")} if "most_per_hour" in read else {}
    return NotifySetting(services, AlarmRules(**read), **most)


def _of_text(text: str) -> Any:
    """Read the environment variable: URLs between white space, or JSON."""
    if len(text) > _LONGEST_TEXT:
        raise _unusable(f"it takes at most {_LONGEST_TEXT:,} characters")
    if not text.strip().startswith(("{", "[")):
        return text.split()
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        # The error would hold the text, and with it the URLs.
        raise _unusable("the environment variable is no JSON") from None


def _services(urls: Any) -> tuple[SecretUrl, ...]:
    if not isinstance(urls, (list, tuple)) or not urls:
        raise _unusable("`urls` is a list with at least one URL of Apprise")
    if len(urls) > _MOST_SERVICES:
        raise _unusable(f"`urls` takes at most {_MOST_SERVICES}")
    named: dict[str, int] = {}
    services = []
    for number, url in enumerate(urls, 1):
        scheme = _SCHEME.match(url) if isinstance(url, str) else None
        if scheme is None or len(url) > _LONGEST_URL or not url.isprintable():
            raise _unusable(f"entry {number} of `urls` is no URL, such as `slack://…`")
        name = scheme[1].lower()
        named[name] = named.get(name, 0) + 1
        count = f" ({named[name]})" if named[name] > 1 else ""
        services.append(SecretUrl(url, f"{name}://…{count}"))
    return tuple(services)


def _kinds(value: Any) -> frozenset[Kind]:
    known = [kind.value for kind in Kind]
    if value == "all":
        return frozenset(Kind)
    if not isinstance(value, (list, tuple, set, frozenset)) or not value:
        raise _unusable('`kinds` is a list of kinds, or "all"')
    for word in value:
        if word not in known:
            # Somebody may have put a URL here.
            hint = did_you_mean(shortened(word, 40), known) or f"known: {', '.join(known)}"
            raise _unusable(f"`kinds` has an unknown kind; {hint}")
    return frozenset(Kind(word) for word in value)


def _quiet(value: Any) -> Any:
    if value is None:
        return None
    try:
        return quiet_hours(value if isinstance(value, str) else "")
    except QuietHoursError as error:
        raise _unusable(f"`quiet_hours`: {error}") from None


def _remind_after(value: Any) -> timedelta:
    try:
        found = value if isinstance(value, timedelta) else timedelta(microseconds=duration(str(value)[:40]))
    except (TimingError, OverflowError):
        found = timedelta(0)
    if not _SHORTEST <= found <= _LONGEST:
        raise _unusable("`remind_after` is a duration from `1h` to `14d`, such as `24h`")
    return found


def _most(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1000:
        raise _unusable("`most_per_hour` is a whole number from 1 to 1000")
    return value


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "kinds": _kinds,
    "quiet_hours": _quiet,
    "remind_after": _remind_after,
    "most_per_hour": _most,
}


def _unusable(reason: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{SETTING} cannot be used: {reason}")


def notify_problems() -> Iterator[Finding]:
    """Yield a warning if SCHEDSYNC_NOTIFY cannot be used: as an error it would stop `manage.py migrate`."""
    try:
        notify_setting()
    except ImproperlyConfigured as error:
        yield Finding("SS314", str(error), severity="warning")
