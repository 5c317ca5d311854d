"""A file in a branch of its own: one commit, beside the files of others, also if they push at the same time."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from schedsync.errors import Failed, Unavailable, WrongUsage
from schedsync.git import published
from schedsync.git.published import publish_in_branch, read_published, remote_of
from schedsync.git.remote import Remote
from tests.git.remotes import Origin

MOST = 2**20


@pytest.fixture(autouse=True)
def short_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schedsync.git.bounded_process._LOOK", 0.01)


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path / "origin.git")


@pytest.fixture
def remote(origin: Origin) -> Remote:
    return remote_of(f"file://{origin.root}", "snapshots")


def names(origin: Origin) -> list[str]:
    return origin.git("ls-tree", "-r", "--name-only", "snapshots").splitlines()


def test_what_is_published_is_read_again_and_the_branch_stays_small(origin: Origin, remote: Remote) -> None:
    main = origin.commit({"a.yaml": "x"})
    for text in (b"one", b"two\r\n$Id$"):
        publish_in_branch(remote, "eu/s.json", text, MOST)
        assert read_published(remote, "eu/s.json", MOST) == text
    publish_in_branch(remote, "us.json", b"three", MOST)

    assert names(origin) == ["eu/s.json", "us.json"]
    assert origin.git("rev-list", "--count", "snapshots") == "1"
    assert origin.git("rev-parse", "main") == main


def test_two_that_publish_at_the_same_time_lose_nothing(origin: Origin, remote: Remote) -> None:
    problems: list[Exception] = []

    def publish(number: int) -> None:
        try:
            publish_in_branch(remote, f"{number}.json", b"x", MOST)
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (problems, names(origin)) == ([], ["0.json", "1.json", "2.json"])


def test_who_pushed_meanwhile_is_not_undone(origin: Origin, remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_in_branch(remote, "us.json", b"old", MOST)
    make, waits = published._commit, []

    def slow(*words: object) -> str:
        made = make(*words)  # type: ignore[arg-type]
        if not waits:
            publish_in_branch(remote, "us.json", b"new", MOST, sleep=lambda _: None)
        return made

    monkeypatch.setattr(published, "_commit", lambda *words: (monkeypatch.undo(), slow(*words))[1])
    publish_in_branch(remote, "eu.json", b"x", MOST, sleep=waits.append)

    assert (len(waits), read_published(remote, "us.json", MOST)) == (1, b"new")


@pytest.mark.parametrize("message", ["a commit", f"{published.MESSAGE}, not"])
def test_a_branch_with_other_commits_is_left_alone(origin: Origin, remote: Remote, message: str) -> None:
    origin.commit({"a": "x"}, parent=None, branch="snapshots")
    there = origin.commit({"a": "y"}, parent="snapshots", branch="snapshots")
    if message != "a commit":
        there = origin.git("commit-tree", "snapshots^{tree}", "-p", "snapshots", "-m", message)
        origin.git("update-ref", "refs/heads/snapshots", there)
    with pytest.raises(Failed, match=r"branch snapshots of file:.* has other commits, nothing was pushed"):
        publish_in_branch(remote, "s.json", b"x", MOST)

    assert origin.git("rev-parse", "snapshots") == there


def test_what_is_not_there_is_said(origin: Origin, remote: Remote, tmp_path: Path) -> None:
    with pytest.raises(Failed, match="has no branch `snapshots`"):
        read_published(remote, "s.json", MOST)
    origin.commit({"dir/a": "x", "link": "120000 /etc/passwd", "large": "x" * (MOST + 1)}, branch="snapshots")
    for path in ("s.json", "dir", "link", "dir/a/b"):
        with pytest.raises(Failed, match=f"has no file `{path}`"):
            read_published(remote, path, MOST)
    with pytest.raises(Failed, match="`large` in branch snapshots is larger than 1 MB"):
        read_published(remote, "large", MOST)
    with pytest.raises(Unavailable, match=r"cannot read branch x of file:///\S+/nowhere: "):
        read_published(remote_of(f"file://{tmp_path}/nowhere", "x"), "s.json", MOST)


def test_a_remote_that_refuses_is_no_endless_loop(origin: Origin, remote: Remote) -> None:
    hook = origin.root / "hooks/update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho not you >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(Unavailable, match=r"cannot push to branch snapshots of .*: .*not you"):
        publish_in_branch(remote, "s.json", b"x", MOST)


@pytest.mark.parametrize(
    ("url", "branch"),
    [("http://example.org/a.git", "b"), ("git://example.org/a.git", "b"), ("ext::sh -c x", "b"), ("https://e/a", "-b")],
)
def test_what_git_must_not_see_or_others_can_change_is_refused(url: str, branch: str) -> None:
    with pytest.raises(WrongUsage):
        remote_of(url, branch)
