"""Plans of many adoptions are short, say what is left, and name the lines that are done."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from tests.conftest import Project

NAMES = [f"job-{number}" for number in range(6)]


def rows(*names: str, **columns: Any) -> None:
    every = IntervalSchedule.objects.create(every=5, period="hours")
    PeriodicTask.objects.bulk_create([PeriodicTask(name=name, task="t", interval=every, **columns) for name in names])


def entries(*names: str) -> str:
    return "".join(f"  {name}: {{task: t, every: 5h}}\n" for name in names)


@pytest.fixture
def files(project: Project) -> Project:
    """Files that adopt six rows; two other rows are in no file, one of them completed; and one is Beat's own."""
    rows(*NAMES, "left-a", "celery.backend_cleanup")
    rows("left-b", one_off=True, enabled=False, total_run_count=1)
    project.write(f"version: 1\ndefaults: {{adopt: true}}\nschedules:\n{entries(*NAMES)}")
    return project


def test_many_adoptions_that_change_nothing_are_one_line(files: Project) -> None:
    plan, verbose, applied = files.plan(), files.plan("--verbose"), files.apply()

    assert "\n\n6 to adopt, no field changes (--verbose lists them)\n" in plan.out
    assert [name for name in NAMES if name in plan.out] == []
    assert "< 6 schedules   schedules/shop.yaml" in verbose.out
    assert [name for name in NAMES if not re.search(rf"^    .*\b{name}\b", verbose.out, re.MULTILINE)] == []
    assert "--verbose lists them" not in verbose.out
    assert "6 to adopt, no field changes (--verbose lists them)" in applied.out
    assert ": 6 adopted" in applied.out


def test_an_adoption_that_changes_a_field_is_always_listed(files: Project) -> None:
    PeriodicTask.objects.filter(name="job-3").update(queue="old")
    plan = files.plan()

    assert "5 to adopt, no field changes" in plan.out
    assert "< job-3   schedules/shop.yaml" in plan.out
    assert "old → none" in plan.out


def test_a_plan_says_how_many_rows_nobody_manages_and_how_to_get_them(files: Project) -> None:
    plan = files.plan()
    files.apply()
    after = files.plan()
    rows_left = "2 rows are managed by nobody (`schedsync list --unmanaged`)\n"

    assert plan.out.endswith(rows_left)
    assert after.out.endswith(rows_left)
    PeriodicTask.objects.filter(name="left-a").delete()
    assert "\n1 row is managed by nobody (" in files.plan().out
    PeriodicTask.objects.filter(name="left-b").delete()
    assert "managed by nobody" not in files.plan().out


def test_what_is_done_is_one_line_for_each_file(files: Project) -> None:
    rows("x-1", "x-2", "y")
    more = "".join(f"  {name}: {{task: t, every: 5h, adopt: true}}\n" for name in ("x-1", "x-2"))
    files.schedules(more, "schedules/two.yaml")
    files.schedules("  y: {task: t, every: 5h, adopt: true}\n", "schedules/one.yaml")
    files.apply()
    plan = files.plan()
    document = json.loads(files.plan("--format", "json").out)

    assert [line for line in plan.out.splitlines() if "SS161" in line] == [
        "schedules/one.yaml:3:34:  info  SS161  `adopt` of `y` is done, remove the line",
        "schedules/shop.yaml:2:19: info  SS161  `adopt` is done for 6 schedules, remove the line",
        "schedules/two.yaml:3:36:  info  SS161  2 `adopt` are done and can be removed",
    ]
    assert [len(finding.get("names", ())) for finding in document["findings"]] == [0, 6, 2]
