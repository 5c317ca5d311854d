from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings

from tests.faults.arena import Arena, arenas_on, everywhere

TEN = "".join(f"  s{number}: {{task: shop.tasks.heartbeat, every: 1s, missed_runs: all}}\n" for number in range(10))


@pytest.fixture(scope="session")
def everywhere_migrated(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any) -> Iterator[list[Arena]]:
    """A project on each database, migrated once."""
    with django_db_blocker.unblock(), arenas_on(tmp_path_factory.mktemp("faults")) as made:
        yield made


@pytest.fixture
def arenas(everywhere_migrated: list[Arena]) -> list[Arena]:
    """Each database with ten schedules that run every second and forget nothing."""

    def prepare(arena: Arena) -> None:
        arena.clear()
        arena.apply(TEN)

    everywhere(everywhere_migrated, prepare)
    return everywhere_migrated


@pytest.fixture(params=["database", "redis"])
def elected(request: pytest.FixtureRequest, arenas: list[Arena]) -> list[Arena]:
    """The same, with the lease in the database, and in Redis."""
    if request.param == "redis":
        if "redis" not in settings.BROKERS:
            pytest.skip("no Redis on this machine")
        for arena in arenas:
            arena.environment["FAULTS_LEADER"] = settings.BROKERS["redis"]
    return arenas
