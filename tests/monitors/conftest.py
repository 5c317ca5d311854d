from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.monitors.servers import CANARY, HealthchecksServer, SentryServer, serving


@pytest.fixture
def healthchecks() -> Iterator[HealthchecksServer]:
    with serving(HealthchecksServer()) as server:
        yield server  # type: ignore[misc]


@pytest.fixture
def sentry() -> Iterator[SentryServer]:
    with serving(SentryServer()) as server:
        yield server  # type: ignore[misc]


@pytest.fixture
def at_healthchecks(settings: Any, healthchecks: HealthchecksServer) -> HealthchecksServer:
    """A project whose settings name Healthchecks."""
    settings.SCHEDSYNC_MONITORS = {"healthchecks": {"url": healthchecks.url, "key": CANARY}}
    return healthchecks


@pytest.fixture
def at_both(settings: Any, healthchecks: HealthchecksServer, sentry: SentryServer) -> SentryServer:
    """A project whose settings name both services."""
    settings.SCHEDSYNC_MONITORS = {
        "healthchecks": {"url": healthchecks.url, "key": CANARY},
        "sentry": {"url": sentry.url, "token": CANARY, "organization": "acme", "project": "shop"},
    }
    return sentry
