from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from schedsync.forges import forge as port
from schedsync.forges.settings import forge_of
from tests.forges.servers import REPOSITORY, Forge, GitHubServer, GitLabServer
from tests.monitors.servers import CANARY, serving

SERVERS = {"github": GitHubServer, "gitlab": GitLabServer}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schedsync.http.client._BACKOFF", 0.0)


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, settings: Any) -> Iterator[Forge]:
    """A forge that the settings name, with a token for it."""
    name = request.param
    with serving(SERVERS[name]()) as found:
        setattr(settings, f"SCHEDSYNC_{name.upper()}_URL", found.url)
        setattr(settings, f"SCHEDSYNC_{name.upper()}_TOKEN", CANARY)
        yield found  # type: ignore[misc]


@pytest.fixture
def forge(server: Forge) -> port.Forge:
    found = forge_of(f"{server.url.removeprefix('http://')}/{REPOSITORY}")
    assert found is not None
    return found[0]
