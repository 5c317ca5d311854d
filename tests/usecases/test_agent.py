"""One turn of an agent: what Git says is applied and kept, and nothing that is broken changes anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.test import override_settings
from django_celery_beat.models import PeriodicTask

from schedsync.core.refusal import Refusal
from schedsync.errors import InvalidSet, Refused, Unavailable
from schedsync.git.mirror import open_mirror
from schedsync.git.remote import Remote
from schedsync.models import ManagedSchedule, SyncRun
from schedsync.usecases.agent import Kept, Turn, Turns
from schedsync.usecases.report_back import CommitReports
from tests.git.remotes import Origin

HEAD = "version: 1\nschedules:\n"
ONE = HEAD + "  one: {task: t, every: 1m}\n"
TWO = ONE + "  two: {task: t, every: 1m}\n"


class Agent:
    """An agent that follows a remote, and takes one turn at a time."""

    def __init__(self, origin: Origin, turns: Turns) -> None:
        self.origin, self.turns = origin, turns

    def push(self, text: str, **files: str) -> str:
        return self.origin.commit({"schedules/a.yaml": text, **files})

    def turn(self) -> Turn:
        return self.turns.turn()

    def change(self, **values: object) -> None:
        self.turns.kept = replace(self.turns.kept, **values)  # type: ignore[arg-type]
        self.turns._targets.clear()


@pytest.fixture
def agent(using: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Agent]:
    monkeypatch.chdir(tmp_path)
    origin = Origin(tmp_path / "origin.git")
    with open_mirror(Remote(str(origin.root)), tmp_path / "mirror") as mirror:
        yield Agent(origin, Turns(Kept(using, settle=0, lock_seconds=0), mirror))


def rows(agent: Agent) -> dict[str, tuple[bool, int]]:
    found = PeriodicTask.objects.using(agent.turns.kept.using).order_by("name")
    return {row.name: (row.enabled, row.interval.every) for row in found}


def edit(agent: Agent, name: str, **values: object) -> None:
    PeriodicTask.objects.using(agent.turns.kept.using).filter(name=name).update(**values)


def runs(agent: Agent) -> int:
    return SyncRun.objects.using(agent.turns.kept.using).count()


def test_a_pushed_commit_is_applied_with_its_place(agent: Agent) -> None:
    first = agent.push(ONE)
    turn = agent.turn()
    managed = ManagedSchedule.objects.using(agent.turns.kept.using).get(name="one")
    run = SyncRun.objects.using(agent.turns.kept.using).get()

    assert (turn.commit, turn.name, turn.problem) == (first, "main", None)
    assert (managed.path, managed.line) == ("schedules/a.yaml", 3)
    assert (run.commit, run.path, run.repository) == (first, "schedules", str(agent.origin.root).removesuffix(".git"))
    # Nothing is checked out, so that no attribute changes what is read.
    attributes = "* filter=x working-tree-encoding=UTF-16 export-ignore ident eol=crlf\n"
    second = agent.push(TWO, **{".gitattributes": attributes, "schedules/.gitattributes": attributes})
    assert (agent.turn().commit, list(rows(agent))) == (second, ["one", "two"])
    assert (agent.turn().outcome, runs(agent)) == (None, 2)


@pytest.mark.one_database
@pytest.mark.parametrize("heals", [True, False])
def test_an_edit_by_others_is_healed_or_left_and_reported(agent: Agent, heals: bool) -> None:
    agent.change(heals=heals)
    agent.push(TWO)
    agent.turn()
    edit(agent, "one", queue="sams")
    edit(agent, "two", enabled=False)
    turn = agent.turn()

    queue = PeriodicTask.objects.get(name="one").queue
    assert (queue, [change.name for change in turn.left]) == ((None, []) if heals else ("sams", ["one"]))
    assert (turn.held, rows(agent)["two"][0]) == (("two",), False)
    assert (turn.outcome is not None, runs(agent)) == (heals, 2 if heals else 1)
    agent.push(ONE + "  two: {task: t, every: 2m}\n")
    agent.turn()
    assert (PeriodicTask.objects.get(name="one").queue, rows(agent)["two"]) == (None, (False, 2))


@pytest.mark.one_database
def test_without_healing_what_else_changed_is_applied(agent: Agent) -> None:
    """A source gives another value, while somebody's edit is left."""
    each = HEAD + "  sync-{tenant}: {task: t, every: 1m, for_each: {tenant: {source: tenants}}}\n"
    with override_settings(SCHEDSYNC_SOURCES={"tenants": "tests.usecases.test_agent.tenants"}):
        TENANTS[:] = ["a"]
        agent.push(each)
        agent.turn()
        edit(agent, "sync-a", queue="sams")
        TENANTS[:] = ["a", "b"]
        turn = agent.turn()

    assert (list(rows(agent)), [change.name for change in turn.left]) == (["sync-a", "sync-b"], ["sync-a"])
    assert PeriodicTask.objects.get(name="sync-a").queue == "sams"


TENANTS: list[str] = []


def tenants() -> list[str]:
    return TENANTS


BROKEN: dict[str, dict[str, str]] = {
    "syntax": {"schedules/a.yaml": "version: [\n"},
    "crontab": {"schedules/a.yaml": HEAD + "  one: {task: t, crontab: '99 * * * *'}\n"},
    "huge": {"schedules/a.yaml": "#" * (11 * 2**20)},
    "link": {"schedules/a.yaml": "120000 /etc/passwd"},
    "gone": {"README": "x"},
    "configuration": {"schedsync.toml": "nonsense = 1\n", "schedules/a.yaml": ONE},
    "option": {"--output=x": ONE, "schedsync.toml": 'paths = ["--output=x"]\n'},
    "case": {"schedules/a.yaml": ONE, "schedules/A.yaml": ONE},
    "case of the directory": {"Schedules/a.yaml": ONE},
    "linked configuration": {"schedsync.toml": "120000 /etc/passwd", "schedules/a.yaml": ONE},
    "linked directory": {"schedules": "120000 /etc"},
    "submodule": {"schedules": "160000 " + "1" * 40},
}


@pytest.mark.one_database
@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_commit_changes_nothing_and_the_last_good_one_is_kept(agent: Agent, kind: str) -> None:
    agent.change(heals=True)
    good = agent.push(TWO)
    agent.turn()
    broken = agent.origin.commit(BROKEN[kind])
    edit(agent, "one", queue="sams")
    turn = agent.turn()

    assert (turn.commit, turn.tried, turn.problem is not None) == (good, broken, True)
    reports = [(report.commit, report.state) for report in CommitReports().of(turn)]
    assert reports == [(good, "success"), (broken, "failure")]
    # A forge shows it under the name that the good one had.
    assert turn.set == "default"
    assert list(rows(agent)) == ["one", "two"]
    assert PeriodicTask.objects.get(name="one").queue is None
    if isinstance(turn.problem, InvalidSet):
        assert {found.location.path for found in turn.problem.findings if found.location} <= {*BROKEN[kind]}


@pytest.mark.one_database
def test_the_rules_of_apply_hold(agent: Agent) -> None:
    agent.push(HEAD + "".join(f"  s{number}: {{task: t, every: 1m}}\n" for number in range(4)))
    agent.turn()
    agent.push(HEAD + "  s0: {task: t, every: 1m}\n")
    refused = agent.turn().problem

    assert isinstance(refused, Refused)
    assert ([refusal.code for refusal in refused.refusals], len(rows(agent))) == (["too_many_stops"], 4)
    freeze = '[[freeze]]\ncrontab = "0 0 * * *"\nduration = "30h"\nreason = "sale"\n'
    agent.push(HEAD + "  s0: {task: t, every: 9m}\n", **{"schedsync.toml": freeze})
    frozen = agent.turn().problem
    assert isinstance(frozen, Refused)
    assert "frozen" in [refusal.code for refusal in frozen.refusals]
    with override_settings(SCHEDSYNC_REQUIRE_PLAN=True):
        agent.push(HEAD + "".join(f"  s{number}: {{task: t, every: 2m}}\n" for number in range(4)))
        required = agent.turn().problem
    assert isinstance(required, Refused)
    assert [refusal.code for refusal in required.refusals] == ["plan_required"]


@pytest.mark.one_database
def test_a_remote_that_is_gone_or_rewound_lets_the_last_good_commit_be_kept(agent: Agent) -> None:
    agent.change(heals=True)
    agent.push(ONE)
    good = agent.push(TWO)
    agent.turn()
    agent.origin.git("update-ref", "refs/heads/main", "main~1")
    edit(agent, "one", queue="sams")
    rewound = agent.turn()
    agent.origin.root.rename(agent.origin.root.with_name("away"))
    edit(agent, "two", queue="sams")
    gone = agent.turn()

    assert (isinstance(rewound.fetch_problem, Refused), isinstance(gone.fetch_problem, Unavailable)) == (True, True)
    assert (rewound.commit, gone.commit, runs(agent)) == (good, good, 3)
    assert list(PeriodicTask.objects.exclude(queue=None)) == []


@pytest.mark.one_database
def test_an_agent_with_an_empty_directory_does_not_go_back(agent: Agent, tmp_path: Path) -> None:
    """The table of applies knows which commit was last, also where the directory was lost."""
    first = agent.push(ONE)
    agent.push(TWO)
    agent.turn()
    agent.origin.git("update-ref", "refs/heads/main", first)
    with open_mirror(agent.turns.mirror.remote, tmp_path / "other") as mirror:
        turn = Turns(agent.turns.kept, mirror).turn()

    assert isinstance(turn.problem, Refused)
    assert ([refusal.code for refusal in turn.problem.refusals], len(rows(agent))) == (["older_commit"], 2)


@pytest.mark.one_database
def test_an_agent_that_acts_no_longer_writes_nothing(agent: Agent) -> None:
    agent.push(ONE)
    agent.turns.fence = lambda: (Refusal("not_acting", "another agent acts", ""),)
    turn = agent.turn()

    assert isinstance(turn.problem, Refused)
    assert (rows(agent), runs(agent)) == ({}, 0)


@pytest.mark.one_database
def test_a_bug_that_a_commit_finds_stops_nothing(agent: Agent, caplog: pytest.LogCaptureFixture) -> None:
    with override_settings(SCHEDSYNC_SOURCES={"tenants": "tests.usecases.test_agent.tenants"}):
        good = agent.push(ONE)
        agent.turn()
        agent.push(TWO)
        agent.turns.fence = lambda: 1 / 0  # type: ignore[assignment,return-value]
        turn = agent.turn()

    assert (turn.commit, str(turn.problem)) == (good, "a bug of schedsync: ZeroDivisionError('division by zero')")
    assert caplog.records[-1].exc_info


@pytest.mark.one_database
def test_a_bug_that_the_tables_find_stops_nothing(agent: Agent, caplog: pytest.LogCaptureFixture) -> None:
    good = agent.push(ONE)
    agent.turn()
    edit(agent, "one", queue="sams")
    agent.change(heals=True)
    agent.turns.fence = lambda: 1 / 0  # type: ignore[assignment,return-value]
    turn = agent.turn()

    assert (turn.commit, str(turn.problem)) == (good, "a bug of schedsync: ZeroDivisionError('division by zero')")
    assert caplog.records[-1].exc_info


@pytest.mark.one_database
def test_an_agent_that_stops_ends_between_transactions(agent: Agent) -> None:
    agent.push(ONE)
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 1

    agent.turns.stop = stop
    agent.turn()
    assert rows(agent) == {}
    agent.turns.stop = lambda: False
    assert agent.turn().problem is None
    assert list(rows(agent)) == ["one"]
