"""The settings of the metrics: Beat's address, the token of the view, and the schedules with metrics of their own."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from importlib.util import find_spec
from typing import NamedTuple

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from schedsync.core.finding import Finding

_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]{2,64})\]|(?P<name>[^\[\]:\s]{0,255})):(?P<port>[0-9]{1,5})\Z")
#: The package of the extra.
INSTALL = "install `schedsync[metrics]`"


class Address(NamedTuple):
    """A host, empty for all addresses of the machine, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def is_installed() -> bool:
    """Say whether prometheus-client is installed."""
    return find_spec("prometheus_client") is not None


def parse_address(text: str) -> Address | None:
    """Return the address of a text such as `127.0.0.1:9808`, `[::1]:9808` or `:9808`; None if it is none."""
    match = _ADDRESS.match(text)
    if match is None or not 0 < int(match["port"]) < 65536:
        return None
    return Address(match["six"] or match["name"] or "", int(match["port"]))


def metrics_address() -> Address | None:
    """Return the address of the Django setting or the environment variable; None if Beat is to serve no metrics.

    Raises ImproperlyConfigured if it is no address, or if prometheus-client is not installed.
    """
    text = getattr(settings, "SCHEDSYNC_METRICS_ADDRESS", None) or os.environ.get("SCHEDSYNC_METRICS_ADDRESS")
    if not text:
        return None
    address = parse_address(str(text))
    if address is None:
        raise ImproperlyConfigured(
            f"SCHEDSYNC_METRICS_ADDRESS is `{text}`: give `host:port`, for example `127.0.0.1:9808` or `[::1]:9808`"
        )
    if not is_installed():
        raise ImproperlyConfigured(f"SCHEDSYNC_METRICS_ADDRESS needs prometheus-client: {INSTALL}")
    return address


def metrics_token() -> str | None:
    """Return the token that opens the view, None without one; raises ImproperlyConfigured without prometheus-client."""
    token = getattr(settings, "SCHEDSYNC_METRICS_TOKEN", None)
    if token and not is_installed():
        raise ImproperlyConfigured(f"SCHEDSYNC_METRICS_TOKEN needs prometheus-client: {INSTALL}")
    return str(token) if token else None


def chosen_schedules() -> tuple[str, ...]:
    """Return the patterns of ``SCHEDSYNC_METRICS_SCHEDULES``; raises ImproperlyConfigured if it is no list of texts."""
    value = getattr(settings, "SCHEDSYNC_METRICS_SCHEDULES", None) or ()
    if not isinstance(value, (list, tuple)) or not all(isinstance(pattern, str) for pattern in value):
        raise ImproperlyConfigured("SCHEDSYNC_METRICS_SCHEDULES is a list of patterns of names: ['nightly-*']")
    return tuple(value)


def settings_problems() -> Iterator[Finding]:
    """Yield a warning for each setting that cannot be used: as an error it would stop `manage.py migrate`."""
    for read_setting in (metrics_address, metrics_token, chosen_schedules):
        try:
            read_setting()
        except ImproperlyConfigured as error:
            yield Finding("SS309", str(error), severity="warning")
