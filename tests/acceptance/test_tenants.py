"""Tenants of two regions come from a function of the application: who comes and goes is shown by name."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.market_project import Market, Tables, market_project

SCHEDULES = """\
version: 1

schedules:
  sync-{tenant}:
    task: sync.tasks.sync_customer
    for_each: {tenant: {source: tenants}}
    crontab: "H/15 * * * *"
    kwargs: {tenant: "{tenant}"}
    environments:
      us: {queue: sync-us}
"""
CONFIGURATION = 'set = "market"\nenvironments = ["eu", "us"]\n'
COUNT = 300


@dataclass(frozen=True)
class Region:
    """One environment: the same files, with a database and tenants of its own."""

    name: str
    market: Market
    file: Path

    def tenants(self, names: list[str]) -> None:
        self.file.write_text("\n".join(names))

    def run(self, verb: str, *words: str) -> subprocess.CompletedProcess[str]:
        return self.market.manage("schedsync", verb, "-e", self.name, *words)

    def tables(self) -> Tables:
        return self.market.tables()


@pytest.fixture
def regions(tmp_path: Path, django_db_blocker: Any) -> Iterator[Callable[[str], Region]]:
    """Make a region whose tenants have all been applied."""
    with django_db_blocker.unblock(), contextlib.ExitStack() as stack:

        def make(name: str) -> Region:
            market = stack.enter_context(market_project("default", tmp_path / name))
            file = tmp_path / f"tenants-{name}"
            market = replace(market, environment={**market.environment, "MARKET_TENANTS": str(file)})
            region = Region(name, market, file)
            region.tenants([f"{name}{number:05}" for number in range(COUNT)])
            (market.root / "schedsync.toml").write_text(CONFIGURATION)
            (market.root / "schedules").mkdir()
            (market.root / "schedules" / "sync.yaml").write_text(SCHEDULES)
            market.git("add", "--all")
            market.git("commit", "--quiet", "--message", "Sync each tenant")
            applied = region.run("apply", "--yes", "--settle", "0")
            assert f": {COUNT} created" in applied.stdout, applied.stderr
            return region

        yield make


def test_a_tenant_more_and_a_tenant_less_are_shown_by_name(regions: Callable[[str], Region]) -> None:
    eu, us = regions("eu"), regions("us")
    eu.tenants(["acme", *[f"eu{number:05}" for number in range(COUNT) if number != 7]])
    planned = eu.run("plan", "--exit-code")

    assert planned.returncode == 2, planned.stderr
    assert re.findall(r"^([-+~>]) (\S+)", planned.stdout, re.MULTILINE) == [("-", "sync-eu00007"), ("+", "sync-acme")]
    assert us.run("plan", "--exit-code").returncode == 0
    assert eu.run("apply", "--yes", "--settle", "0").returncode == 0
    assert eu.run("plan", "--exit-code").returncode == 0


def test_a_source_that_is_not_sound_stops_nobody(regions: Callable[[str], Region]) -> None:
    eu = regions("eu")
    before = eu.tables()
    few: tuple[list[str] | None, int, str] = (["eu00001"], 3, "299 schedules would stop, 100 may (max_stops)")
    for names, code, message in (few, ([], 1, "gives no value"), (None, 1, "the source `tenants` failed")):
        if names is None:
            eu.file.unlink()
        else:
            eu.tenants(names)
        for done in (eu.run("plan"), eu.run("apply", "--yes"), eu.run("apply", "--yes", "--allow-empty")):
            assert (done.returncode, message in done.stdout + done.stderr) == (code, True), done.stderr
        assert eu.tables() == before
