"""``[rollout]``: the first runs of an apply are judged once, by any process that looks, and a bad one is undone."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connections
from django_celery_beat.models import PeriodicTask

from schedsync.agent.first_runs import observe, sections
from schedsync.config import read_config
from schedsync.core.commit_report import CommitReport, Section
from schedsync.core.refusal import Limits
from schedsync.core.rollout import RolloutState
from schedsync.database.transaction import WaitOptions
from schedsync.errors import Unavailable
from schedsync.models import RolledBack, Rollout, SendFailure, SyncRun
from schedsync.render.comment.first_runs import ended_line, rollout_section, title
from schedsync.render.comment.first_runs import first_runs as markdown
from schedsync.usecases import rollout as usecase
from schedsync.usecases.agent import Turn
from schedsync.usecases.rollout import RolloutReport, look, rollout_of, unfinished_run
from schedsync.usecases.target import Target
from tests.conftest import Project

OLD = "  old: {task: t, every: 1h}\n"
ONE = OLD + "  one: {task: t, every: 1m}\n"
TWO = ONE + "  two: {task: t, crontab: '0 2 * * *'}\n"
REPORT = '[rollout]\nwatch = "15m"\n'
ROLLBACK = REPORT + 'on_failure = "rollback"\n'
SECOND = timedelta(seconds=1)
WORDS = "one: the message can never be sent: TypeError: no JSON"
pytestmark = pytest.mark.one_database("default", "postgresql")


@pytest.fixture(autouse=True)
def _without_a_wait_for_beats_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usecase, "_WAIT", WaitOptions(settle=0))


def applied(project: Project, schedules: str, configured: str = ROLLBACK) -> uuid.UUID:
    project.write('paths = ["schedules"]\n' + configured, "schedsync.toml")
    project.schedules(schedules)
    done = project.apply("--format", "json")
    assert done.code == 0, done.out
    return uuid.UUID(json.loads(done.out)["run"])


def rolled_out(project: Project, configured: str = ROLLBACK, schedules: str = ONE) -> uuid.UUID:
    """Apply a change to a set that was there before."""
    applied(project, OLD, configured="")
    return applied(project, schedules, configured)


def target(project: Project) -> Target:
    config = read_config("schedules")
    return Target(config, project.using, limits=config.limited(Limits()))


def looked(project: Project) -> RolloutReport | None:
    return look(target(project), lambda _message: None)


def fails(project: Project, name: str = "one") -> None:
    """Write what a Beat leaves that has given up the first message since the last apply."""
    tick = SyncRun.objects.using(project.using).latest("at").at + SECOND
    row_id = PeriodicTask.objects.using(project.using).get(name=name).pk
    values = {"tick": tick, "failed_at": tick, "reason": "TypeError: no JSON", "given_up": True}
    SendFailure.objects.using(project.using).update_or_create(row_id=row_id, defaults=values)


def states(project: Project) -> list[str]:
    return list(Rollout.objects.using(project.using).order_by("began").values_list("state", flat=True))


def names(project: Project) -> list[str]:
    return sorted(PeriodicTask.objects.using(project.using).values_list("name", flat=True))


def deadline_is_over(project: Project) -> None:
    at = SyncRun.objects.using(project.using).latest("at").at
    Rollout.objects.using(project.using).update(deadline=at - SECOND)


def test_a_failed_first_run_is_reported_once_and_rolled_back(project: Project) -> None:
    run = rolled_out(project)
    assert (looked(project), states(project)) == (None, ["watching"])
    assert unfinished_run(target(project)) == run
    found = rollout_of(project.using, "default", "", run)
    assert found is not None
    assert rollout_section(found).state == "pending"
    fails(project)
    report = looked(project)

    assert report is not None
    assert (report.rollout.run, report.rollout.state, report.is_bad) == (run, RolloutState.ROLLED_BACK, True)
    assert (names(project), states(project)) == (["old"], ["rolled_back"])
    undone = SyncRun.objects.using(project.using).latest("at")
    assert (undone.verb, undone.reason) == ("rollback", f"first run failed: {WORDS}")
    assert title(report.first_runs) == "First runs: 1 rejected; rolled back"
    section = Section("First runs: failed; rolled back", (f"- **`first run failed: {WORDS}`**",), "failure")
    assert rollout_section(report.rollout) == section
    assert rollout_of(project.using, None, "none", run) == report.rollout
    assert rollout_of(project.using, None, "none") is None
    assert f"- **`rejected: {WORDS}`**" in markdown(report.first_runs)
    assert (looked(project), unfinished_run(target(project))) == (None, None)
    # The files still say it: an apply leaves it alone.
    assert project.apply().code == 0
    assert names(project) == ["old"]


def test_a_failed_first_run_is_only_reported_by_default(project: Project) -> None:
    rolled_out(project, REPORT, TWO)
    fails(project)
    report = looked(project)

    assert report is not None
    assert (report.rollout.state, report.rollout.text) == (RolloutState.FAILED, f"first run failed: {WORDS}")
    assert (names(project), looked(project), states(project)) == (["old", "one", "two"], None, ["failed"])


def test_without_a_failure_the_rollout_passes_when_nothing_more_is_due(project: Project) -> None:
    rolled_out(project)
    assert looked(project) is None
    deadline_is_over(project)
    report = looked(project)

    assert report is not None
    assert (report.rollout.state, report.is_bad, title(report.first_runs)) == (
        RolloutState.PASSED, False, "First runs: 1 not due yet",
    )  # fmt: skip
    assert rollout_section(report.rollout) == Section("First runs: 1 waiting")
    assert ended_line(replace(report.rollout, commit="a" * 40)) == f"commit {'a' * 12}: first runs: 1 waiting"


def test_what_beat_does_not_send_is_reported_at_the_deadline_and_not_rolled_back(project: Project) -> None:
    rolled_out(project)
    long_ago = datetime.now().astimezone() - timedelta(hours=1)
    PeriodicTask.objects.using(project.using).update(last_run_at=long_ago, date_changed=long_ago)
    assert looked(project) is None
    deadline_is_over(project)
    report = looked(project)

    assert report is not None
    assert (report.rollout.state, names(project)) == (RolloutState.FAILED, ["old", "one"])
    assert report.rollout.text.startswith("first run failed: one: due at ")


def test_a_newer_apply_supersedes(project: Project) -> None:
    rolled_out(project)
    fails(project)
    applied(project, ONE.replace("1m", "2m"), configured="")

    assert (looked(project), states(project), names(project)) == (None, ["superseded"], ["old", "one"])


def test_a_rollback_that_is_refused_is_reported_and_not_forced(project: Project) -> None:
    frozen = '[[freeze]]\ncrontab = "@daily"\nduration = "1d"\nreason = "quiet"\n'
    rolled_out(project)
    fails(project)
    project.write(f'paths = ["schedules"]\n{ROLLBACK}{frozen}', "schedsync.toml")
    report = looked(project)

    assert report is not None
    assert (report.rollout.state, names(project)) == (RolloutState.REFUSED, ["old", "one"])
    assert report.rollout.text.endswith(f"; first run failed: {WORDS}")
    assert title(report.first_runs) == "First runs: 1 rejected; the rollback was refused"
    assert (looked(project), states(project)) == (None, ["refused"])


@pytest.mark.parametrize("point", ["before the rollback", "after the rollback"])
def test_the_next_look_goes_on_where_a_process_died(
    project: Project, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rolled_out(project)
    fails(project)
    roll_back = usecase._roll_back

    def die(*values: Any) -> None:
        if point == "after the rollback":
            roll_back(*values)
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(usecase, "_roll_back", die)
        with pytest.raises(SystemExit):
            looked(project)
    assert states(project) == ["undoing"]
    report = looked(project)

    assert report is not None
    assert (report.rollout.state, names(project), states(project)) == (
        RolloutState.ROLLED_BACK,
        ["old"],
        ["rolled_back"],
    )
    assert SyncRun.objects.using(project.using).filter(verb="rollback").count() == 1


def test_an_apply_between_the_verdict_and_the_rollback_stays(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    rolled_out(project)
    fails(project)
    roll_back = usecase._roll_back

    def after_another_apply(*values: Any) -> None:
        applied(project, TWO)
        roll_back(*values)

    monkeypatch.setattr(usecase, "_roll_back", after_another_apply)
    assert looked(project) is None

    assert (names(project), states(project)) == (["old", "one", "two"], ["superseded", "watching"])
    assert not RolledBack.objects.using(project.using).exists()


def test_a_database_that_is_away_is_asked_again(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    rolled_out(project)
    fails(project)

    def away(*_values: Any) -> None:
        raise Unavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(usecase, "_roll_back", away)
        assert (looked(project), states(project)) == (None, ["undoing"])
    assert looked(project) is not None


def test_apply_watches_it_and_rolls_it_back(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    run = rolled_out(project)
    fails(project)
    # An apply without changes goes on with the rollout of an earlier one.
    done = project.apply("--watch", "--format", "json")
    said = json.loads(done.out)

    assert (done.code, said["failure_reason"], said["first_runs"]["run"]) == (6, "first_run_failed", str(run))
    assert said["first_runs"]["rollout"] == {"state": "rolled_back", "text": f"first run failed: {WORDS}"}
    assert (names(project), states(project)) == (["old"], ["rolled_back"])


def test_the_agent_logs_how_a_rollout_ended(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    observe(Turn())
    run = rolled_out(project)
    fails(project)
    # What a commit configures that was not applied does not count.
    observe(Turn("a" * 40, tried="b" * 40, problem=Unavailable("gone"), target=target(project)))
    turn = Turn(follow="shop", target=target(project))
    observe(turn)
    observe(turn)
    connections[project.using].close()
    found = [record for record in caplog.records if record.name == "schedsync.agent.first_runs"]

    assert [record.getMessage() for record in found] == [
        f"shop: apply {str(run)[:8]}: first run failed: {WORDS}; rolled back"
    ]
    assert (found[0].run, found[0].rollout, found[0].schedules) == (str(run), "rolled_back", ["one"])  # type: ignore[attr-defined]


def test_an_agent_that_was_restarted_finds_the_rollout_of_a_commit(project: Project) -> None:
    run, commit = rolled_out(project), "c" * 40
    Rollout.objects.using(project.using).filter(run=run).update(commit=commit)
    report = CommitReport(commit, "success")
    told = sections(Turn(commit, using=project.using, target=target(project)), report)

    assert [section.state for section in told] == ["pending"]
    other = replace(target(project), config=replace(target(project).config, set="other"))
    assert sections(Turn(commit, using=project.using, target=other), report) == ()


def test_only_a_configured_apply_that_changes_runs_is_watched(project: Project) -> None:
    applied(project, ONE, configured="")
    assert states(project) == []
    applied(project, ONE.replace("1m}", "1m, description: d}"))
    assert states(project) == []
