"""The text of a comparison of runs."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from schedsync.calendar.run_comparison import Difference, Half, NotCompared, RunComparison
from schedsync.calendar.run_sets import Only
from schedsync.core.timing import Timing
from schedsync.render.terminal.run_comparison import text
from tests.calendar.test_slots import cron

START = datetime(2026, 11, 27, 10, tzinfo=timezone.utc)


def half(timing: Timing, *runs: datetime) -> Half:
    return Half(timing, "active", Only(len(runs), runs, ()))


def comparison(name: str) -> RunComparison:
    files = half(cron("0 3 * * *", "Europe/Berlin"), START + timedelta(hours=16), START + timedelta(days=320))
    source = half(cron("0 2 * * *"), START + timedelta(days=4))
    return RunComparison(
        "main", START, START + timedelta(days=360), 2, 1, 1,
        differences=[Difference(name, files, source)],
        messages={name: ("args",)},
        not_compared=[NotCompared(name, "unknown")],
    )  # fmt: skip


def test_runs_have_their_weekday_and_zone_in_columns() -> None:
    lines = text(comparison("nightly")).splitlines()

    assert lines[1] == "  source: main; from Fri 27 Nov 2026 10:00 UTC until before Mon 22 Nov 2027 10:00 UTC"
    assert lines[5:8] == [
        "    Sat 28 Nov 03:00 Europe/Berlin       only in the files",
        "    Tue 1 Dec 10:00 UTC                  only in the source",
        "    Wed 13 Oct 2027 12:00 Europe/Berlin  only in the files",
    ]


def test_no_name_begins_a_line_with_two_colons() -> None:
    lines = text(comparison("::error::x")).splitlines()

    assert not [line for line in lines if line.lstrip().startswith("::")]
    assert len([line for line in lines if line.lstrip().startswith("\\u003a:error::x")]) == 3
