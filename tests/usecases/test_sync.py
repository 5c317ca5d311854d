"""The use cases where the steps meet: what happens between a plan and its apply, and after a lost answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connections
from django_celery_beat.models import PeriodicTask

from schedsync.config import read_config
from schedsync.core.refusal import Limits
from schedsync.database.transaction import WaitOptions
from schedsync.errors import Stale, Unavailable
from schedsync.models import SyncRun
from schedsync.planning.plan import Plan
from schedsync.usecases import sync
from schedsync.usecases.target import Target
from tests.conftest import Project
from tests.faults.arena import COMMIT, proxied

ONE = "  one: {task: t, every: 1m}\n"


def target(project: Project) -> Target:
    return Target(read_config("schedules"), project.using, None, Limits())


def edited_each_time(project: Project, times: int) -> Callable[[Plan], bool]:
    """Agree to a plan, and edit the row so that it no longer fits."""
    left = list(range(times))

    def agree(_: Plan) -> bool:
        if left:
            PeriodicTask.objects.using(project.using).update(queue=f"q{left.pop()}")
        return True

    return agree


def test_a_plan_that_nobody_agrees_to_writes_nothing(project: Project) -> None:
    project.schedules(ONE)

    assert sync.apply(target(project), lambda _: False, WaitOptions(settle=0)) is None
    assert not PeriodicTask.objects.using(project.using).exists()


def test_what_is_edited_between_plan_and_apply_is_planned_again_a_few_times(project: Project) -> None:
    project.schedules(ONE)
    assert project.apply().code == 0
    project.schedules(ONE.replace("1m", "2m"))
    done = sync.apply(target(project), edited_each_time(project, 1), WaitOptions(settle=0))
    assert done is not None
    assert [change.name for change in done.changes] == ["one"]

    project.schedules(ONE.replace("1m", "3m"))
    with pytest.raises(Stale, match="the tables have changed since it was made, or another"):
        sync.apply(target(project), edited_each_time(project, 99), WaitOptions(settle=0))


def test_a_saved_plan_of_nothing_is_done_and_one_that_is_refused_is_not(project: Project) -> None:
    project.schedules(ONE)
    PeriodicTask.objects.using(project.using).bulk_create([PeriodicTask(name="one", task="t")])
    assert project.plan("--out", "plan.json").code == 3
    refused = project.command("apply", "--plan", "plan.json", "--yes", "--database", project.using)
    assert (refused.code, "one" in refused.err) == (3, True)

    PeriodicTask.objects.using(project.using).all().delete()
    assert project.apply().code == 0
    assert project.plan("--out", "plan.json").code == 0
    done = project.command("apply", "--plan", "plan.json", "--yes", "--database", project.using)
    assert (done.code, SyncRun.objects.using(project.using).count()) == (0, 1)


@pytest.mark.parametrize("committed", [True, False])
def test_a_connection_that_breaks_tells_what_became_of_an_apply(
    project: Project, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    if project.using == "default":
        pytest.skip("a file has no connection that could break")
    project.schedules(ONE)
    connection = connections[project.using]
    proxy, through = proxied(connection.settings_dict)
    for name in ("HOST", "PORT"):
        monkeypatch.setitem(connection.settings_dict, name, through[name])
    connection.close()

    def agree(_: Plan) -> bool:
        # The reads of the plan are over; the next commit is that of the apply.
        proxy.cut_after = COMMIT[project.using] if committed else b"SCHEDSYNC_SYNCRUN"
        return True

    try:
        if committed:
            done = sync.apply(target(project), agree, WaitOptions(settle=0))
            assert done is not None
            assert [change.name for change in done.changes] == ["one"]
        else:
            with pytest.raises(Unavailable, match="nothing was written"):
                sync.apply(target(project), agree, WaitOptions(settle=0))
    finally:
        connection.close()
        proxy.close()
        monkeypatch.undo()

    assert PeriodicTask.objects.using(project.using).exists() is committed
