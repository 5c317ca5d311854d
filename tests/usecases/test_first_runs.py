"""``apply --watch``: the first runs of what an apply has changed, on real rows."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from celery import Celery, current_app
from django.db import connections
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import PeriodicTask

from schedsync.core.first_run import FirstRuns
from schedsync.core.task_id import task_id
from schedsync.errors import Failed, Unavailable
from schedsync.models import Claim, SendFailure, SyncRun
from schedsync.usecases import first_runs as usecase
from schedsync.usecases.first_runs import first_runs, watched
from tests.beat.ours import Beat
from tests.conftest import NOW, Project

ONE = "  one: {task: t, every: 1m}\n"
TWO = ONE + "  two: {task: t, crontab: '0 2 * * *'}\n"
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
pytestmark = pytest.mark.one_database("default", "postgresql")


@pytest.fixture
def results() -> Iterator[Any]:
    """A project whose tasks leave their results in memory."""
    before = current_app._get_current_object()
    app = Celery("results", backend="cache+memory://", set_as_current=False)
    app.set_current()
    app.backend.client.cache.clear()
    yield app.backend
    before.set_current()


def applied(project: Project, schedules: str) -> uuid.UUID:
    project.schedules(schedules)
    done = project.apply("--format", "json")
    assert done.code == 0, done.out
    return uuid.UUID(json.loads(done.out)["run"])


def claimed(project: Project, name: str, tick: datetime, *, confirmed: bool = True) -> None:
    """Write what a Beat leaves that has sent a tick."""
    tasks = PeriodicTask.objects.using(project.using).filter(name=name)
    tasks.update(last_run_at=tick, total_run_count=1)
    values = {"tick": tick, "batch": uuid4(), "epoch": 1, "claimed_at": tick, "confirmed": confirmed}
    Claim.objects.using(project.using).update_or_create(row_id=tasks.get().pk, defaults=values)


def verdicts(found: FirstRuns) -> dict[str, str]:
    return {run.name: run.verdict.value for run in found.runs}


def watch(project: Project, *words: str) -> tuple[int, dict[str, Any]]:
    done = project.apply("--watch=1s", "--format", "json", *words)
    return done.code, json.loads(done.out)


def heartbeat(beat: Beat) -> None:
    """Let it be time for the regular heartbeat, with which the journal is written."""
    beat.scheduler.heartbeat._next = 0.0
    beat.scheduler._write_heartbeat()


def test_the_first_run_after_an_apply_is_followed_to_its_end(project: Project, clock: Any, results: Any) -> None:
    run = applied(project, TWO)
    assert verdicts(first_runs(project.using, run)) == {"one": "waiting", "two": "waiting"}
    beat = Beat(clock)
    assert [name for _, name in beat.run(2 * MINUTE + SECOND)] == ["one", "one"]
    # The journal has the first run, and the claim only the last one.
    heartbeat(beat)
    found = first_runs(project.using, run)
    assert verdicts(found) == {"one": "running", "two": "waiting"}
    assert (found.runs[0].tick, found.runs[0].task_id) == (NOW + MINUTE, task_id("one", NOW + MINUTE))
    results.store_result(found.runs[0].task_id, ValueError("the shop\nis closed"), "FAILURE")
    found = first_runs(project.using, run)

    assert verdicts(found) == {"one": "failed", "two": "waiting"}
    assert (found.set, found.is_open(NOW + timedelta(hours=1)), found.is_open()) == ("default", False, True)
    assert found.runs[0].words == "ValueError: the shop"


def test_an_error_shows_no_secret(project: Project, results: Any) -> None:
    run = applied(project, ONE)
    tick = now_of(project) + MINUTE
    claimed(project, "one", tick)
    results.store_result(task_id("one", tick), ValueError("password=hunter2"), "FAILURE")

    assert first_runs(project.using, run).runs[0].words == "ValueError: ***"


def now_of(project: Project) -> datetime:
    """Return when the last apply was."""
    return SyncRun.objects.using(project.using).latest("at").at


def test_only_what_changed_and_still_runs_is_watched(project: Project) -> None:
    applied(project, ONE)
    run = applied(project, TWO + "  off: {task: t, every: 1m, enabled: false, disabled_reason: later}\n")
    assert verdicts(first_runs(project.using, run)) == {"two": "waiting"}
    described = applied(project, ONE.replace("1m}", "1m, description: d}") + TWO.removeprefix(ONE))
    assert verdicts(first_runs(project.using, described)) == {}
    PeriodicTask.objects.using(project.using).filter(name="two").update(enabled=False)

    assert verdicts(first_runs(project.using, run)) == {}
    with pytest.raises(Failed, match="there is no run"):
        first_runs(project.using, uuid4())


def test_the_number_of_queries_does_not_grow_with_the_changes(project: Project, results: Any) -> None:
    def queries(count: int) -> int:
        each = ", ".join(f"t{number}" for number in range(count))
        run = applied(project, f"  'do-{{each}}': {{task: t, every: 1m, for_each: {{each: [{each}]}}}}\n")
        tick = now_of(project) + MINUTE
        rows = list(
            PeriodicTask.objects.using(project.using).filter(name__startswith="do-").values_list("pk", flat=True)
        )
        values = {"tick": tick, "batch": uuid4(), "epoch": 1, "claimed_at": tick, "confirmed": True}
        Claim.objects.using(project.using).all().delete()
        Claim.objects.using(project.using).bulk_create(Claim(row_id=row_id, **values) for row_id in rows)
        with CaptureQueriesContext(connections[project.using]) as captured:
            assert set(verdicts(first_runs(project.using, run, lambda _ids: {})).values()) == {"running"}
        return len(captured)

    assert queries(3) == queries(300) < 20


def test_watching_ends_when_nothing_can_change_any_more(project: Project, results: Any) -> None:
    project.schedules(TWO)
    code, said = watch(project)

    # A run every minute is not due within a second, and the other one tonight.
    assert (code, said["failure_reason"], said["first_runs"]["counts"]) == (0, None, {"waiting": 2})
    assert said["first_runs"]["run"] == said["run"]
    assert [set(run) for run in said["first_runs"]["runs"]] == [{"name", "verdict", "words", "tick", "task_id"}] * 2
    code, said = watch(project)
    assert (code, "first_runs" in said) == (0, False)


@pytest.fixture
def fails(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Beat that gives the message up as soon as the change is committed."""

    def look(using: str, run: uuid.UUID, *others: Any) -> FirstRuns:
        row_id = PeriodicTask.objects.using(using).get(name="one").pk
        tick = now_of(project) + SECOND
        values = {"tick": tick, "failed_at": tick, "reason": "TypeError: no JSON", "given_up": True}
        SendFailure.objects.using(using).update_or_create(row_id=row_id, defaults=values)
        return first_runs(using, run, *others)

    monkeypatch.setattr(usecase, "first_runs", look)


def test_a_first_run_that_fails_has_its_exit_code(project: Project, fails: None) -> None:
    project.schedules(ONE)
    code, said = watch(project)
    assert (code, said["failure_reason"], said["first_runs"]["counts"]) == (6, "first_run_failed", {"rejected": 1})
    project.schedules(ONE.replace("1m", "2m"))
    done = project.apply("--watch=1m")

    assert done.code == 6
    line = "rejected: one: the message can never be sent: TypeError: no JSON"
    assert done.out.endswith(f"First runs: 1 rejected\n  {line}\n")
    assert line in done.err
    assert "error: committed, but not well at first: one" in done.err
    project.schedules(ONE.replace("1m", "3m"))
    done = project.apply("--watch=1m", "--format", "markdown")
    assert (done.code, done.out.splitlines()[-4:-1]) == (6, ["**First runs: 1 rejected**", "", f"- **`{line}`**"])


def test_a_key_ends_the_watching_and_not_the_apply(project: Project) -> None:
    run = applied(project, ONE)

    def press(_seconds: float) -> None:
        raise KeyboardInterrupt

    found = watched(project.using, run, now_of(project) + timedelta(days=9), lambda _known: None, sleep=press)
    assert verdicts(found) == {"one": "waiting"}


def test_a_database_that_is_away_for_a_while_ends_no_watching(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = applied(project, ONE)
    looks: list[object] = []

    def look(*values: Any) -> FirstRuns:
        looks.append(values)
        if len(looks) < 3:
            raise Unavailable("away")
        return first_runs(*values)

    def sleep(_seconds: float) -> None:
        if len(looks) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(usecase, "first_runs", look)
    far = now_of(project) + timedelta(days=9)
    assert verdicts(watched(project.using, run, far, lambda _known: None, sleep=sleep)) == {"one": "waiting"}
    looks.clear()
    with pytest.raises(Unavailable):
        watched(project.using, run, now_of(project), lambda _known: None, sleep=sleep)


def test_several_sets_are_not_watched_together(project: Project) -> None:
    done = project.command("apply", "--all", "--watch=1m", "--yes", "--database", project.using)

    assert (done.code, "`--watch` watches one set" in done.err) == (64, True)
