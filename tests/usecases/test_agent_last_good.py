"""An agent that did not apply the last good commit itself takes it from the tables, if Git confirms it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from django_celery_beat.models import PeriodicTask

from schedsync.core.refusal import Refusal
from schedsync.errors import CommitRefused, Refused
from schedsync.git.mirror import open_mirror
from schedsync.git.signatures import Keys
from schedsync.models import AppliedFiles
from schedsync.usecases.agent import Turns
from schedsync.usecases.report_back import CommitReports
from tests.git.test_signatures import Ring, ours, ring
from tests.usecases.test_agent import BROKEN, ONE, TWO, Agent, agent, edit, runs

__all__ = ["agent", "ours", "ring"]

Another = Callable[[], Agent]


@pytest.fixture
def another(agent: Agent, tmp_path: Path) -> Iterator[Another]:
    """Makes an agent on another host: with the same configuration, and an empty directory."""
    with ExitStack() as stack:

        def make() -> Agent:
            mirror = stack.enter_context(open_mirror(agent.turns.mirror.remote, tmp_path / "another"))
            return Agent(agent.origin, Turns(agent.turns.kept, mirror))

        yield make


@pytest.fixture
def keys(ours: str, tmp_path: Path) -> Keys:
    (tmp_path / "signers").write_text(f"maria@example.org {ours}\n")
    return Keys("ssh", tmp_path / "signers")


def test_an_agent_on_a_new_host_keeps_the_tables_while_the_head_is_broken(agent: Agent, another: Another) -> None:
    agent.change(heals=True)
    agent.push(ONE)
    good = agent.push(TWO)
    agent.turn()
    broken = agent.origin.commit(BROKEN["crontab"])
    edit(agent, "one", queue="sams")
    new = another()
    turn = new.turn()

    assert (turn.commit, turn.tried, turn.problem is not None, runs(agent)) == (good, broken, True, 2)
    assert PeriodicTask.objects.using(agent.turns.kept.using).get(name="one").queue is None
    assert [(report.commit, report.state) for report in CommitReports().of(turn)] == [
        (good, "success"), (broken, "failure"),
    ]  # fmt: skip
    # From now on it is as if this agent had applied it.
    agent.origin.git("update-ref", "refs/heads/main", f"{good}~1")
    assert isinstance(new.turn().fetch_problem, CommitRefused)


@pytest.mark.one_database
def test_an_agent_that_stood_by_keeps_what_the_other_one_applied(agent: Agent, another: Another) -> None:
    agent.push(ONE)
    agent.turn()
    good = agent.push(TWO)
    assert another().turn().commit == good
    agent.origin.commit(BROKEN["syntax"])
    edit(agent, "two", queue="sams")
    turn = agent.turn()

    assert (turn.commit, [change.name for change in turn.left]) == (good, ["two"])
    # It is put off, and the tables are still looked at.
    turn = agent.turns.after(agent.turns.fetch(), skips=turn.tried)
    assert (turn.commit, turn.tried, turn.problem) == (good, None, None)


@pytest.mark.one_database
def test_a_head_that_was_applied_and_is_refused_now_is_kept(agent: Agent, another: Another) -> None:
    agent.change(heals=True)
    good = agent.push(TWO)
    agent.turn()
    edit(agent, "one", queue="sams")
    new = another()
    new.turns.fence = lambda: (Refusal("frozen", "not now", ""),)
    turn = new.turn()

    assert (turn.commit, turn.tried, isinstance(turn.problem, Refused), runs(agent)) == (good, good, True, 1)
    new.turns.fence = tuple
    new.change()
    assert (new.turn().problem, PeriodicTask.objects.get(name="one").queue) == (None, None)


@pytest.mark.one_database
def test_a_head_that_is_not_signed_lets_the_last_signed_commit_be_kept(
    agent: Agent, another: Another, keys: Keys, ring: Ring
) -> None:
    agent.change(keys=keys, heals=True)
    good = agent.origin.commit({"schedules/a.yaml": ONE}, options=ring.ssh_options("ours"))
    agent.turn()
    unsigned = agent.push(TWO)
    edit(agent, "one", queue="sams")
    turn = another().turn()

    assert isinstance(turn.fetch_problem, CommitRefused)
    assert (turn.fetch_problem.commit, turn.commit, turn.tried) == (unsigned, good, None)
    assert (PeriodicTask.objects.get(name="one").queue, PeriodicTask.objects.count()) == (None, 1)
    kept, refused = CommitReports().of(turn)
    assert ((kept.commit, kept.state), (refused.commit, refused.state)) == ((good, "success"), (unsigned, "failure"))
    (refusal,) = refused.refusals
    assert refusal.message == f"the commit {unsigned[:12]} is not signed by a key of `signers`"


@pytest.mark.one_database
def test_a_row_that_names_a_commit_without_a_signature_changes_nothing(
    agent: Agent, another: Another, keys: Keys, ring: Ring
) -> None:
    agent.change(keys=keys)
    agent.origin.commit({"schedules/a.yaml": ONE}, options=ring.ssh_options("ours"))
    agent.turn()
    unsigned = agent.push(TWO)
    agent.push(ONE)
    AppliedFiles.objects.update(commit=unsigned)
    turn = another().turn()

    assert (turn.commit, turn.tried, turn.outcome, PeriodicTask.objects.count()) == (None, None, None, 1)


@pytest.mark.one_database
def test_what_only_the_tables_say_is_not_believed(agent: Agent, another: Another) -> None:
    agent.push(ONE)
    agent.turn()
    good = agent.push(TWO)
    agent.turn()
    elsewhere = agent.origin.commit({"schedules/a.yaml": ONE}, branch="other")
    agent.origin.commit(BROKEN["syntax"])
    new = another()
    lies = [
        {"commit": "1" * 40}, {"commit": elsewhere}, {"commit": good[:12]}, {"commit": f"{good}+dirty"},
        {"commit": "--output=x"}, {"commit": None}, {"set": "other"}, {"environment": "staging"},
    ]  # fmt: skip
    for lie in lies:
        AppliedFiles.objects.update(**{"commit": good, "set": "default", "environment": "", **lie})
        assert new.turn().commit is None, lie
    AppliedFiles.objects.update(commit=good, environment="")

    assert new.turn().commit == good


@pytest.mark.one_database
def test_an_earlier_commit_in_the_tables_is_no_way_back(agent: Agent) -> None:
    first = agent.push(ONE)
    agent.turn()
    good = agent.push(TWO)
    agent.turn()
    agent.origin.commit(BROKEN["syntax"])
    AppliedFiles.objects.update(commit=first)

    assert agent.turn().commit == good
    agent.change(allow_rewind=True)
    assert agent.turn().commit == first
