"""A team moves in: rows of many hands and entries of the settings come into Git, and not one run changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.acceptance import typed_rows
from tests.acceptance.market_project import Market, Tables, market_project

HERE = Path(__file__).parent
DATABASES = ("default", "postgresql", "mariadb")
#: The columns that Beat writes whenever it runs a row.
OF_RUNS = {"last_run_at", "total_run_count", "date_changed"}
#: The entries of market/market/settings.py.
ENTRIES = {
    "archive-orders", "digest", "fetch-rates", "hourly-health", "purge-carts", "quarterly-audit", "sitemap",
    "thumbnails",
}  # fmt: skip
#: What no file gets: completed, Beat's own, broken, and a name that differs only in case.
LEFT_OUT = {"black friday", "launch 2023", "summer-sale", "celery.backend_cleanup", "ops-office-hours", "dup a"}


@pytest.fixture(params=DATABASES)
def market(request: pytest.FixtureRequest, tmp_path: Path, django_db_blocker: Any) -> Iterator[Market]:
    if request.param not in settings.DATABASES:
        pytest.skip(f"no {request.param} on this machine")
    with django_db_blocker.unblock(), market_project(request.param, tmp_path) as made:
        yield made


def type_rows(market: Market) -> set[str]:
    """Type the rows, then let Beat add those of the settings; returns the names that the database refused."""
    typed = market.python(str(HERE / "typed_rows.py"))
    assert typed.returncode == 0, typed.stderr
    market.run_beat()
    return set(typed.stdout.split("\n")) - {""}


def move_in(market: Market) -> str:
    """Type the commands that init says, up to the commit; returns what it says."""
    said = market.schedsync("init", "--yes")
    market.git("apply", "schedsync-settings.patch")
    (market.root / "schedsync-settings.patch").unlink()
    market.git("add", "--all")
    market.git("commit", "--quiet", "--message", "Keep schedules in Git")
    return said


def without_change_row(tables: Tables) -> Tables:
    """Return all tables but the one row that tells Beats to reload: an apply moves it forward, so that they confirm."""
    return {name: rows for name, rows in tables.items() if name != "django_celery_beat_periodictasks"}


def without_runs(tables: Tables) -> list[dict[str, Any]]:
    rows = tables["django_celery_beat_periodictask"]
    return [{key: value for key, value in row.items() if key not in OF_RUNS} for row in rows]


def compared(market: Market) -> str:
    """Compare the files with the rows for 30 days; returns the verdict."""
    market.schedsync("snapshot", "--out", "snapshot.json")
    said = market.schedsync("forecast", "-e", "production", "--compare", "snapshot.json")
    (market.root / "snapshot.json").unlink()
    return said.partition("\n")[0]


def test_a_team_with_more_than_70_rows_moves_in_and_no_row_changes(market: Market) -> None:
    refused = type_rows(market)
    typed = market.tables()
    names = {row["name"] for row in typed["django_celery_beat_periodictask"]}
    left_out = LEFT_OUT & names
    taken = len(names - left_out)
    assert names == {*typed_rows.names(), *ENTRIES, "celery.backend_cleanup"} - refused
    assert (len(names) >= 70, refused <= {"dup a"}) == (True, True)

    said = move_in(market)
    assert market.tables() == typed
    assert re.search(r"Compared 30 days: [\d,]+ runs, none differs\.", said)
    assert f"left out {len(left_out)}:\n" in said
    planned = market.schedsync("plan", "-e", "production")
    assert f"\n{taken} to adopt, no field changes (--verbose lists them)\n" in planned
    assert re.fullmatch(r"Compared 30 days: [\d,]+ runs, none differs\.", compared(market))

    applied = market.schedsync("apply", "-e", "production", "--yes")
    assert f": {taken} adopted\n" in applied
    assert without_change_row(market.tables()) == without_change_row(typed)
    again = market.schedsync("plan", "-e", "production", "--exit-code")
    assert f"no changes  {taken} unchanged\n" in again

    market.run_beat()
    assert without_runs(market.tables()) == without_runs(typed)
    assert "No drift in set market" in market.schedsync("drift", "-e", "production")


@pytest.mark.parametrize("market", DATABASES[:1], indirect=True)
def test_an_expiry_that_the_row_has_lost_is_the_only_change(market: Market) -> None:
    file = market.root / "market" / "settings.py"
    file.write_text(file.read_text().replace('"mail", "priority": 3', '"mail", "expires": 240, "priority": 3'))
    type_rows(market)
    before = without_runs(market.tables())
    said = move_in(market)
    assert "`digest`: its row has another expires_after; the next apply changes it\n" in said
    market.schedsync("apply", "-e", "production", "--yes")
    after = without_runs(market.tables())

    assert [dict(row, expire_seconds=240) if row["name"] == "digest" else row for row in before] == after
