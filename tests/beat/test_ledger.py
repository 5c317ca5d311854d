"""A change of the ledger reaches Beat, and makes no run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django_celery_beat.models import PeriodicTask

from tests.beat.ours import Beat
from tests.conftest import NOW, Project

SCHEDULES = (
    "  plain: {task: t, crontab: '*/30 * * * *'}\n"
    "  none: {task: t, crontab: '*/30 * * * *', missed_runs: none}\n"
    "  all: {task: t, crontab: '*/30 * * * *', missed_runs: all, starting_deadline: 1m}\n"
)


def ticks(sent: list[tuple[Any, str]]) -> list[str]:
    return sorted(f"{at:%H:%M} {name}" for at, name in sent)


def pass_three_hours(project: Project, clock: Any) -> None:
    """Let three hours pass after a run of each schedule, in which no Beat runs."""
    rows = PeriodicTask.objects.using(project.using)
    rows.update(last_run_at=NOW - timedelta(minutes=30), total_run_count=1)
    clock.shift(timedelta(hours=3, minutes=5))


@pytest.mark.parametrize("words", [["rename", "default", "x"], ["move", "--all", "--to", "x"], ["release", "--all"]])
def test_no_run_is_made_or_lost_by_it(project: Project, clock: Any, words: list[str]) -> None:
    project.schedules(SCHEDULES)
    assert project.apply().code == 0
    # Two schedules pass over what they missed in three hours, one makes up for the last of it.
    pass_three_hours(project, clock)
    beat = Beat(clock)
    before = ticks(beat.run(timedelta(minutes=5)))
    done = project.command("ledger", *words, "--yes", "--database", project.using)
    assert done.code == 0, done.err
    at_once = ticks(beat.run(timedelta(minutes=5)))
    later = ticks(beat.run(timedelta(minutes=30)))

    assert (before, at_once) == (["13:05 plain"], [])
    assert later == ["13:30 all", "13:30 none", "13:30 plain"]


def test_a_row_that_the_files_give_up_sends_nothing_at_once(project: Project, clock: Any) -> None:
    project.schedules(SCHEDULES)
    assert project.apply().code == 0
    pass_three_hours(project, clock)
    beat = Beat(clock)
    assert ticks(beat.run(timedelta(minutes=5))) == ["13:05 plain"]
    kept = ", ".join(f"{{name: {name}, keep_row: true}}" for name in ("none", "all"))
    project.write(f"version: 1\nschedules:\n  plain: {{task: t, crontab: '*/30 * * * *'}}\nremoved: [{kept}]\n")
    done = project.apply()

    assert (done.code, "2 no longer managed" in done.out or "released" in done.out) == (0, True), done.out
    assert ticks(beat.run(timedelta(minutes=35))) == ["13:30 all", "13:30 none", "13:30 plain"]


def test_only_a_row_that_has_passed_over_a_run_is_written(project: Project, clock: Any) -> None:
    project.schedules(SCHEDULES + "  every: {task: t, every: 7m, starting_deadline: 10s}\n")
    assert project.apply().code == 0
    rows = PeriodicTask.objects.using(project.using)
    pass_three_hours(project, clock)
    before = dict(rows.values_list("name", "last_run_at"))
    assert project.command("ledger", "release", "--all", "--yes", "--database", project.using).code == 0
    after = dict(rows.values_list("name", "last_run_at"))

    assert after["plain"] == before["plain"]
    assert after["none"] == after["all"] == NOW + timedelta(hours=3)
    # The grid of the interval stays.
    assert after["every"] == before["every"] + timedelta(minutes=7 * 30)
