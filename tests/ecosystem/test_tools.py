"""A tool that hooks Celery's Beat gets the same headers, spans, check-ins and names from stock Beat and from ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connections

from tests.ecosystem.installed import NotInstalled, installed
from tests.ecosystem.tools import TOOLS

ROOT = Path(__file__).parents[2]
#: No tool may look for a server of its own.
QUIET = {
    "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
    "DD_REMOTE_CONFIGURATION_ENABLED": "false",
    "NEW_RELIC_APP_NAME": "schedsync",
    "NEW_RELIC_DEVELOPER_MODE": "true",
    "NEW_RELIC_LICENSE_KEY": "0" * 40,
}
WHO = ("stock", "ours")


@pytest.fixture(scope="session")
def tools() -> Path:
    """The directory with the tools."""
    try:
        return installed()
    except NotInstalled as reason:
        if os.environ.get("SCHEDSYNC_REQUIRE_SERVICES") == "1":
            pytest.fail(str(reason))
        pytest.skip(str(reason))


@pytest.fixture
def databases(request: pytest.FixtureRequest, tmp_path: Path, django_db_blocker: Any) -> Iterator[dict[str, Any]]:
    """A new database for each of the two Beats; django-tenants needs PostgreSQL."""
    if request.getfixturevalue("tool") != "tenants":
        yield {who: {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / who)} for who in WHO}
        return
    if "postgresql" not in settings.DATABASES:
        pytest.skip("no postgresql on this machine")
    given = {key: settings.DATABASES["postgresql"][key] for key in ("USER", "PASSWORD", "HOST", "PORT")}
    names = {who: f"ecosystem_{os.getpid()}_{who}" for who in WHO}
    with django_db_blocker.unblock(), connections["postgresql"]._nodb_cursor() as cursor:
        for name in names.values():
            cursor.execute(f"CREATE DATABASE {name}")
        yield {who: {**given, "NAME": name} for who, name in names.items()}
        for name in names.values():
            cursor.execute(f"DROP DATABASE {name}")


@pytest.mark.parametrize("tool", sorted(TOOLS))
def test_a_tool_sees_the_same_of_both_beats(tool: str, tools: Path, databases: dict[str, Any]) -> None:
    seen = {who: _seen(tool, who, tools, databases[who]) for who in WHO}

    assert seen["ours"] == seen["stock"]
    assert seen["ours"]


def _seen(tool: str, who: str, tools: Path, database: dict[str, Any]) -> Any:
    environment = {
        **os.environ,
        **QUIET,
        "DJANGO_SETTINGS_MODULE": "tests.ecosystem.settings",
        "ECOSYSTEM_TOOL": tool,
        "ECOSYSTEM_DATABASE": json.dumps(database),
        "ECOSYSTEM_BROKER": _broker(who),
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.ecosystem.tools", tool, who, str(tools)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def _broker(who: str) -> str:
    """Return an empty database of Redis, where our Beat sends in chunks; without Redis a broker in memory."""
    if "redis" not in settings.BROKERS:
        return "memory://"
    import redis

    url = f"{settings.BROKERS['redis'].rsplit('/', 1)[0]}/{14 + WHO.index(who)}"
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url
