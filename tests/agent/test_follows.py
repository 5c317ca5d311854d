"""An agent that follows several things: one that hangs or is broken hides no other, and each has its name."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django_celery_beat.models import PeriodicTask

from schedsync.agent.follow import Follow
from schedsync.agent.lease import ROW, AgentLease
from schedsync.agent.loop import Loop
from schedsync.agent.pace import Pace
from schedsync.agent.process import Process
from schedsync.core.refusal import Refusal
from schedsync.errors import InvalidSet, Refused
from schedsync.git.mirror import open_mirror
from schedsync.git.remote import Remote
from schedsync.models import Lease, SyncRun
from schedsync.usecases.agent import Kept, Turn, Turns
from tests.agent.test_loop import until
from tests.conftest import Project, empty
from tests.git.remotes import Origin

pytestmark = pytest.mark.one_database
FILES = {
    "schedsync.toml": 'set = "{0}"\n',
    "schedules/a.yaml": "version: 1\nschedules:\n  {0}: {{task: t, every: 1m}}\n",
}
BROKEN = {"schedules/a.yaml": "version: [\n"}

Make = Callable[..., Turns]


@pytest.fixture
def make(using: str, tmp_path: Path) -> Iterator[Make]:
    """Return the turns of a follow by its name, for a remote."""
    with ExitStack() as stack:

        def turns(name: str, url: str, **kept: Any) -> Turns:
            mirror = stack.enter_context(open_mirror(Remote(url), tmp_path / name))
            return Turns(Kept(using, settle=0, lock_seconds=0, name=name, **kept), mirror)

        yield turns


@pytest.fixture
def hanging() -> Iterator[str]:
    """The address of a remote that answers nothing."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield f"git://127.0.0.1:{server.getsockname()[1]}/shop.git"


def origin_of(tmp_path: Path, name: str) -> Origin:
    origin = Origin(tmp_path / f"{name}.git")
    origin.commit({path: text.format(name) for path, text in FILES.items()})
    return origin


def run_until(process: Process, holds: Callable[[], bool]) -> None:
    def watch() -> None:
        try:
            until(holds)
        finally:
            process.end()

    thread = threading.Thread(target=watch)
    thread.start()
    process.run()
    thread.join()
    assert holds()


def test_one_that_hangs_and_one_that_is_broken_hide_no_other(
    using: str, make: Make, hanging: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "schedsync")
    broken = Origin(tmp_path / "broken.git")
    broken.commit(BROKEN)
    urls = {"hung": hanging, "broken": str(broken.root), "away": str(tmp_path / "none")}
    urls |= {name: str(origin_of(tmp_path, name).root) for name in ("one", "two")}
    follows = [Follow(make(name, url), 0.2) for name, url in urls.items()]
    heard: list[Turn] = []
    process = Process([Loop(follows, AgentLease(using), (heard.append,))])
    states = {state.name: state for state in process.states}
    run_until(process, lambda: all(state.has_turned for state in process.states if state.name != "hung"))

    assert set(PeriodicTask.objects.using(using).values_list("name", flat=True)) == {"one", "two"}
    assert isinstance(states["broken"].problem, InvalidSet)
    assert (states["hung"].has_turned, states["away"].fetch_problem is not None) == (False, True)
    assert {(turn.follow, turn.set) for turn in heard if turn.outcome} == {("one", "one"), ("two", "two")}
    lines = {(record.follow, record.message.split(" ")[0]) for record in caplog.records if hasattr(record, "follow")}
    assert {("one", "one:"), ("two", "two:"), ("broken", "broken:"), ("away", "away:")} <= lines


def test_a_database_that_is_away_hides_no_other(
    using: str, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    away = {**connections.settings["default"], "ENGINE": "django.db.backends.sqlite3", "NAME": "/nowhere/db"}
    monkeypatch.setitem(connections.settings, "away", away)
    good, other = (make(name, str(origin_of(tmp_path, name).root)) for name in ("good", "other"))
    leases = (AgentLease(alias, is_one_of_several=True) for alias in (using, "away"))
    loops = [Loop([Follow(turns, 0.2)], lease) for turns, lease in zip((good, other), leases, strict=True)]
    process = Process(loops)
    here, there = process.states
    run_until(process, lambda: here.commit is not None and there.database_problem is not None)

    assert (here.words[:11], there.words) == ("good: keeps", "other: the database is away")
    said = [record.getMessage() for record in caplog.records if record.name == "schedsync.agent.lease"]
    assert sorted(line.split(", epoch")[0].split(" acts: ")[0] for line in said) == sorted(
        ["database `away`: the database does not say which agent", f"database `{using}`: this agent acts"]
    )


def test_a_remote_that_is_away_for_an_hour_is_said_once_and_comes_back_by_itself(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    origin, now = origin_of(tmp_path, "shop"), [0.0]
    follow = Follow(make("shop", str(origin.root)), 30.0)
    follow._fetches = Pace(30.0, lambda: now[0], lambda: 0.0)
    follow._keeps = Pace(30.0, lambda: now[0], lambda: 0.0)
    asked: list[float] = []

    def until_it_asked(executor: ThreadPoolExecutor) -> Turn:
        now[0] += follow._fetches.wait
        follow.step(executor)
        assert follow._fetch is not None
        wait([follow._fetch])
        turn = follow.step(executor)
        assert turn is not None
        follow.note(turn)
        asked.append(now[0])
        return turn

    with ThreadPoolExecutor(1) as executor:
        kept = until_it_asked(executor).commit
        origin.root.rename(tmp_path / "elsewhere")
        while now[0] < 3600:
            assert until_it_asked(executor).commit == kept
        (tmp_path / "elsewhere").rename(origin.root)
        newer = origin.commit({path: text.format("shop") + "# more\n" for path, text in FILES.items()})
        assert until_it_asked(executor).commit == newer

    assert (max(late - early for early, late in pairwise(asked)), len(asked)) == (300.0, 18)
    said = [record.getMessage().split(" ")[1:3] for record in caplog.records if record.levelname != "INFO"]
    assert said == [["applied", "commit"], ["cannot", "fetch"], ["the", "remote"], ["applied", "commit"]]


@pytest.mark.one_database("postgresql")
def test_one_agent_keeps_a_set_in_two_databases(using: str, make: Make, tmp_path: Path) -> None:
    if "mariadb" not in connections:
        pytest.skip("no mariadb on this machine")
    origin = origin_of(tmp_path, "shop")
    here, there = make("here", str(origin.root)), make("there", str(origin.root))
    there.kept = replace(there.kept, using="mariadb")
    process = Process([Loop([Follow(turns, 0.2)], AgentLease(turns.kept.using)) for turns in (here, there)])
    try:
        run_until(process, lambda: all(state.commit is not None for state in process.states))
        applied = [(run.set, run.commit) for alias in (using, "mariadb") for run in SyncRun.objects.using(alias)]
        holders = [Lease.objects.using(alias).get(pk=2).holder for alias in (using, "mariadb")]
    finally:
        empty("mariadb")

    commit = origin.git("rev-parse", "main")
    assert (applied, holders) == ([("shop", commit)] * 2, [None, None])


def test_a_loop_that_fails_ends_the_process(using: str, make: Make, tmp_path: Path) -> None:
    loops = [
        Loop([Follow(make(name, str(tmp_path)), 0.2)], AgentLease(using)) for name in ("first", "second")
    ]  # fmt: skip
    loops[1].lease = None  # type: ignore[assignment]
    with pytest.raises(AttributeError):
        Process(loops).run()


def test_a_loop_that_fails_gives_its_lease_back(using: str, make: Make, tmp_path: Path) -> None:
    loop = Loop([Follow(make("first", str(tmp_path)), 0.2)], AgentLease(using))
    loop.follows[0].step = None  # type: ignore[method-assign,assignment]
    with pytest.raises(TypeError):
        loop.run()

    assert Lease.objects.using(using).get(pk=ROW).holder is None


def test_an_apply_that_the_end_of_the_agent_finds_is_told_all_the_same(using: str, make: Make, tmp_path: Path) -> None:
    turns, heard = make("one", str(origin_of(tmp_path, "one").root)), list[Turn]()
    process = Process([Loop([Follow(turns, 0.2)], AgentLease(using), (heard.append,))])

    def fence() -> tuple[Refusal, ...]:
        # The transaction is open.
        process.end()
        return ()

    turns.fence = fence
    process.run()

    assert [turn.outcome is not None for turn in heard] == [True]
    assert PeriodicTask.objects.using(using).get().name == "one"


def test_a_commit_that_is_tried_later_stays_a_problem_that_is_logged_once(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    origin = origin_of(tmp_path, "one")
    follow = Follow(make("one", str(origin.root)), 60.0)
    with ThreadPoolExecutor(1) as fetcher:

        def turn() -> Turn:
            follow._fetches._next = float("-inf")
            found: list[Turn] = []
            until(lambda: (each := follow.step(fetcher)) is not None and not found.append(each))
            follow.note(found[0])
            return found[0]

        good = turn()
        broken = origin.commit(BROKEN)
        turns = [turn(), turn()]
        follow._keeps._next = float("-inf")
        kept = follow.step(fetcher)
        origin.git("update-ref", "refs/heads/main", str(good.commit))
        last = turn()

    assert kept is not None
    follow.note(kept)
    assert [(each.tried, each.put_off, each.asked) for each in (*turns, kept)] == [
        (broken, False, True), (None, True, True), (None, True, False),
    ]  # fmt: skip
    assert (last.put_off, follow.state.problem) == (False, None)
    assert len([record for record in caplog.records if "is not applied" in record.message]) == 1


def test_a_fetch_that_was_under_way_is_not_used_by_an_agent_that_no_longer_acts(make: Make, hanging: str) -> None:
    turns = make("hung", hanging)
    follow, ended = Follow(turns, 60.0), threading.Event()
    turns.stop = ended.is_set
    with ThreadPoolExecutor(1) as fetcher:
        assert follow.step(fetcher) is None
        follow.give_up()
        ended.set()
        until(lambda: follow.step(fetcher) is None and not follow.is_asking)

    assert follow.state.has_turned is False


def test_a_set_of_another_name_is_refused(make: Make, tmp_path: Path) -> None:
    turn = make("eu", str(origin_of(tmp_path, "us").root), set="eu").turn()

    assert isinstance(turn.problem, Refused)
    assert [(each.code, each.message) for each in turn.problem.refusals] == [
        ("other_set", "the files are of set `us`, and `eu` keeps set `eu`")
    ]
    assert turn.set is None


def test_a_set_that_two_repositories_name_is_kept_by_the_first(make: Make, tmp_path: Path) -> None:
    first, second = origin_of(tmp_path, "one"), Origin(tmp_path / "copy.git")
    second.commit({path: text.format("one") for path, text in FILES.items()})
    assert make("first", str(first.root)).turn().problem is None
    turn = make("second", str(second.root)).turn()

    assert isinstance(turn.problem, Refused)
    [refusal] = [each for each in turn.problem.refusals if each.code == "moved_set"]
    assert f"{tmp_path / 'one'}" in refusal.message
    assert f"{tmp_path / 'copy'}" in refusal.message


def test_once_takes_a_turn_of_each_and_ends_with_the_worst(
    project: Project, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "schedsync")
    broken = Origin(tmp_path / "broken.git")
    broken.commit(BROKEN)
    one = origin_of(tmp_path, "one")
    text = '[agent]\nsettle = "0s"\ndirectory = "objects"\n'
    for name in ("broken", "one"):
        text += f'[[agent.follow]]\nname = "{name}"\nrepository = "{tmp_path / name}.git"\n'
    file = tmp_path / "agent.toml"
    file.write_text(text)
    done = project.command("agent", "--config", str(file), "--once")
    away = project.command("agent", "--config", str(file).replace("agent.toml", "none.toml"), "--once")
    both = project.command("agent", "--config", str(file), "--heal", "--database", "default")
    file.write_text(text + f'[[agent.follow]]\nname = "two"\nrepository = "{one.root}"\n')
    twice = project.command("agent", "--config", str(file), "--once")

    assert (done.code, PeriodicTask.objects.using(project.using).count()) == (1, 1), done.err
    said = [record.message for record in caplog.records]
    assert [line.split(":")[0] for line in said if "commit " in line] == ["broken", "one"]
    assert (away.code, both.code, twice.code) == (64, 64, 1)
    assert "`--heal`, `--database` cannot be combined with `--config`" in both.err
    assert "`one` and `two` keep the same files" in twice.err


def test_it_must_be_said_what_to_follow(project: Project) -> None:
    done = project.command("agent")

    assert (done.code, "it is not said what to follow" in done.err) == (64, True)
