"""A clone that lacks objects is not compared: a review never says that nothing changes where it could not look."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import git
import pytest

from tests.conftest import Done
from tests.review.repository import Checkout, changes

BEFORE = '  a: {task: t, every: 1h}\n  b: {task: t, crontab: "0 5 * * *"}\n'
AFTER = "  a: {task: t, every: 2h}\n"
WANTED = [("delete", "b"), ("update", "a")]


def two_commits(checkout: Checkout) -> Checkout:
    """Commit one state on main, and another on the branch `feature`; leave main checked out."""
    checkout.write('set = "shop"\n', "schedsync.toml")
    checkout.schedules(BEFORE)
    checkout.commit("before")
    checkout.branch()
    checkout.schedules(AFTER)
    checkout.commit("after")
    checkout.repository.git.checkout("main")
    for name in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
        checkout.repository.git.config(name, "true")
    return checkout


@pytest.fixture
def origin(checkout: Checkout) -> Checkout:
    return two_commits(checkout)


@pytest.fixture
def clone(origin: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Checkout]]:
    """Clone the branch from a bare repository, as `git clone` with these options does, and work in the clone."""
    bare = tmp_path / "bare.git"
    git.Repo.clone_from(str(origin.root), bare, bare=True).close()
    with git.Repo(bare) as remote:
        for name in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
            remote.git.config(name, "true")
    made: list[git.Repo] = []

    def cloned(*options: str) -> Checkout:
        root = tmp_path / f"clone-{len(made)}"
        git.Git(tmp_path).execute(["git", "clone", "--branch=feature", *options, bare.as_uri(), str(root)])
        made.append(git.Repo(root))
        monkeypatch.chdir(root)
        return Checkout(root, made[-1], origin.command)

    yield cloned
    for repository in made:
        repository.close()


def refused(done: Done) -> tuple[int, bool]:
    return done.code, "git fetch --refetch --no-filter origin" in done.err


@pytest.mark.parametrize("filter_", ["blob:none", "tree:0"])
@pytest.mark.parametrize("words", [(), ("origin/main",), ("origin/main", "feature"), ("--format", "json")])
def test_a_partial_clone_is_not_compared(clone: Callable[..., Checkout], filter_: str, words: tuple[str, ...]) -> None:
    partial = clone(f"--filter={filter_}")
    done = partial.review(*words)

    assert (done.code, "is not in this clone, so nothing was compared" in done.out + done.err) == (69, True), done
    assert "git fetch --refetch --no-filter origin" in done.out + done.err
    assert "no changes" not in done.out
    assert "Nothing that runs" not in done.out


@pytest.mark.parametrize("filter_", ["blob:none", "tree:0"])
def test_what_it_says_to_fetch_is_enough(clone: Callable[..., Checkout], filter_: str) -> None:
    partial = clone(f"--filter={filter_}")
    partial.repository.git.execute(["git", "fetch", "--refetch", "--no-filter", "origin"])

    assert [change[:2] for change in changes(partial.json())] == WANTED


def test_a_forecast_is_not_compared_with_what_is_missing(clone: Callable[..., Checkout]) -> None:
    partial = clone("--filter=blob:none")

    assert refused(partial.command("forecast", "--compare", "origin/main")) == (69, True)


def test_a_blob_that_is_damaged_is_named(origin: Checkout) -> None:
    blob = origin.repository.commit("feature").tree["schedules/shop.yaml"].hexsha
    path = origin.root / ".git/objects" / blob[:2] / blob[2:]
    path.chmod(0o644)
    path.write_bytes(b"damaged")
    done = origin.review("main", "feature")

    assert done.code == 69
    assert "`schedules/shop.yaml` of a commit is not in this clone" in done.err
    assert "git fsck" in done.err


@pytest.fixture
def sha256(tmp_path: Path, command: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> Iterator[Checkout]:
    root = tmp_path / "sha256"
    root.mkdir()
    monkeypatch.chdir(root)
    git.Git(root).execute(["git", "init", "--object-format=sha256", "--initial-branch=main"])
    for name, value in {"user.name": "Sam", "user.email": "sam@example.org"}.items():
        git.Git(root).execute(["git", "config", name, value])
    with git.Repo(root) as repository:
        yield Sha256(root, repository, command)


class Sha256(Checkout):
    """A checkout whose commits Git makes itself: GitPython cannot write objects with ids of SHA-256."""

    def commit(self, message: str = "change") -> str:
        self.repository.git.execute(["git", "add", "--all"])
        self.repository.git.execute(["git", "commit", "--message", message])
        return str(self.repository.git.execute(["git", "rev-parse", "HEAD"]))


@pytest.mark.parametrize("words", [(), ("main",), ("main", "feature")])
def test_a_repository_with_ids_of_sha_256_is_compared(sha256: Checkout, words: tuple[str, ...]) -> None:
    two_commits(sha256)
    sha256.repository.git.checkout("feature")
    said = sha256.json(*words)

    assert [change[:2] for change in changes(said)] == WANTED
    assert len(said["base"]) == 64


def test_files_that_are_the_same_are_shared_with_ids_of_sha_256(sha256: Checkout) -> None:
    two_commits(sha256)
    sha256.schedules('  odd: {task: t, crontab: "*/7 * * * *"}\n', "schedules/odd.yaml")
    sha256.commit()
    sha256.schedules("  c: {task: t, every: 3h}\n", "schedules/more.yaml")
    said = sha256.json("HEAD")

    assert [change[:2] for change in changes(said)] == [("create", "c")]
    assert {finding["new"] for finding in said["findings"] if finding["location"]["path"].endswith("odd.yaml")} == {
        False
    }


def test_a_repository_that_git_cannot_read_is_named(origin: Checkout) -> None:
    origin.repository.git.config("core.repositoryFormatVersion", "1")
    origin.repository.git.config("extensions.objectFormat", "sha3")
    done = origin.review("--format", "json")

    assert done.code == 69
    assert "Git cannot read this repository" in json.loads(done.out)["message"]
