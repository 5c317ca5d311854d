"""Django's ``DATABASE_ROUTERS`` decide where Beat works, and nothing is read from a replica."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from schedsync.models import Claim
from tests import router
from tests.beat.ours import Beat, row
from tests.beat.test_like_stock import TIMINGS, make
from tests.conftest import NOW, Project


def to_a_replica(_router: router.Router, model: Any, **_hints: Any) -> str:
    raise AssertionError(f"{model.__name__} is read from a replica")


def test_beat_and_status_read_nothing_where_the_router_reads(
    project: Project, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica lags behind: a row that is read there may have run since."""
    using = project.using
    make(using, "x", {**TIMINGS["each minute"], "last_run_at": NOW - timedelta(minutes=1)})
    monkeypatch.setattr(router.Router, "db_for_read", to_a_replica)
    beat = Beat(clock)
    sent = beat.run(timedelta(minutes=1, seconds=1))
    done = project.command("status", "--format", "json")
    beat.scheduler.close()

    assert [name for _, name in sent] == ["x", "x"]
    assert done.code == 0, done.err


def test_beat_works_where_the_router_writes_periodic_tasks(using: str, clock: Any) -> None:
    """All of its own tables are there too, wherever else the router sends other apps."""
    router.elsewhere.update(django_celery_beat=using, schedsync="nowhere", admin="nowhere")
    try:
        make(using, "x", TIMINGS["each minute"])
        beat = Beat(clock)
        beat.run(timedelta(minutes=1, seconds=1))
        beat.scheduler.close()
    finally:
        router.elsewhere.clear()

    assert row(using, "x").total_run_count == len(beat.scheduler.sent) > 0
    assert Claim.objects.using(using).get().confirmed
