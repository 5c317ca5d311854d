"""The page of a forecast: what it is of, one row for each schedule, and runs that are known."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import git

from schedsync import __version__
from schedsync.calendar.forecast import Forecast, Outlook
from schedsync.calendar.load import load_of
from schedsync.calendar.stock_beat import slots
from schedsync.calendar.window import week_of
from schedsync.core.location import Location
from schedsync.core.schedule import Schedule, Spec
from schedsync.core.timing import Timing, crontab, interval
from schedsync.render.page import forecast as forecast_page
from tests.conftest import NOW, Project

DAILY = crontab({"minute": "0", "hour": "2"}, "Europe/Berlin")
HALF_HOURLY = interval(30, 60 * 10**6)


def page_of(*outlooks: Outlook, until: datetime | None = None) -> str:
    load = load_of((), week_of(NOW), slots)
    return forecast_page.html(Forecast(NOW, outlooks, load, slots, until), "shop", now=NOW)


def outlook(timing: Timing, runs: int, **more: Any) -> Outlook:
    days = tuple(NOW + timedelta(days=number + 1) for number in range(runs))
    return Outlook("a", timing, days, "1 a day", **more)


def next_runs(page: str) -> str:
    [cell] = re.findall(r'<td role="cell" class="next">(.*?)</td>', page)
    return str(cell).replace("\u00a0", " ")


def test_a_page_says_which_files_it_is_of(files: Project, clock: Any) -> None:
    files.write('set = "shop"\nenvironments = ["staging", "production"]\n', "schedsync.toml")
    files.schedules("  a: {task: t, crontab: '0 2 * * *'}\n")
    with git.Repo.init(files.root) as repository:
        repository.create_remote("origin", "https://bot:s3cret@git.example.org/acme/shop.git")
        repository.git.add(all=True)
        commit = repository.index.commit("x").hexsha
        page = files.command("forecast", "-e", "production", "--from", "2026-12-24", "--format", "html").out

    assert dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page)) == {
        "set": "shop",
        "environment": "production",
        "from": "Thu 24 Dec 2026 00:00 UTC",
        "repository": "git.example.org/acme/shop",
        "files at": commit[:12],
        "made": f"Mon 23 Nov 2026 10:00 UTC, by schedsync {__version__}",
    }
    assert "<title>Forecast of shop from Thu 24 Dec 2026 00:00 UTC</title>" in page


def test_a_page_needs_no_repository(files: Project, clock: Any) -> None:
    files.schedules("  a: {task: t, crontab: '0 2 * * *'}\n")
    page = files.command("forecast", "--format", "html").out

    assert [label for label, _ in re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page)] == ["set", "from", "made"]


def test_runs_that_only_our_own_counting_made_are_not_shown() -> None:
    assert next_runs(page_of(outlook(HALF_HOURLY, 3, counted_from=NOW))) == "from its last run"
    known = next_runs(page_of(outlook(HALF_HOURLY, 1, counted_from=NOW - timedelta(minutes=5))))
    assert known == "Tue 24 Nov 10:00 UTC"
    assert next_runs(page_of(outlook(DAILY, 0))) == "no run"


def test_no_run_of_an_interval_is_invented() -> None:
    page = page_of(outlook(HALF_HOURLY, 7, counted_from=NOW, more=True), until=NOW + timedelta(days=7))

    assert next_runs(page) == "from its last run"


def test_a_foldout_says_that_not_all_runs_are_in_it() -> None:
    page = page_of(outlook(DAILY, 6, more=True), until=NOW + timedelta(days=70))

    assert "Sun 29 Nov 11:00 Europe/Berlin and more until Mon 1 Feb 10:00 UTC</div>" in next_runs(page)


def test_a_picture_says_what_no_map_shows() -> None:
    schedule = Schedule("sync", Spec("t", HALF_HOURLY), Location("a.yaml", 1, 1))
    svg = forecast_page.svg(Forecast(NOW, (), load_of([schedule], week_of(NOW), slots), slots))

    assert ">about 48 starts a day in minutes that only the last runs tell (`--against`): sync</text>" in svg


def test_a_row_has_five_runs_and_its_foldout_the_others() -> None:
    cell = next_runs(page_of(outlook(DAILY, 7)))

    assert cell == (
        "Tue 24 Nov 11:00 · Wed 11:00 · Thu 11:00 · Fri 11:00 · Sat 11:00 Europe/Berlin"
        '<details><summary>more runs</summary><div class="inside">'
        "Sun 29 Nov 11:00 · Mon 11:00 Europe/Berlin</div></details>"
    )


def test_a_forecast_of_nothing_is_a_page() -> None:
    page = page_of()

    assert "<h2>0 schedules</h2>" in page
    assert "<table" not in page
