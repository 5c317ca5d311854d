"""A sparse checkout leaves files out of the work tree; the set still has them, as the index does."""

from __future__ import annotations

from pathlib import Path

import git
import pytest

from schedsync.config import read_config
from schedsync.core.sources import no_sources
from schedsync.usecases.target import Target, files_of
from tests.review.conftest import checkout, no_forge  # noqa: F401
from tests.review.repository import Checkout, changes

ALL = ["a", "b", "c-x", "c-y"]


@pytest.fixture
def sparse(checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:  # noqa: F811
    """A clone in which nothing of the set is checked out but its configuration."""
    checkout.write('set = "shop"\n', "schedsync.toml")
    checkout.schedules("  a: {task: t, every: 2h}\n")
    checkout.schedules("  b: {task: t, every: 3h}\n", "schedules/team/b.yaml")
    checkout.schedules(
        "  'c-{n}': {task: t, every: 4h, for_each: {n: {file: names.txt}}, args: ['{n}']}\n", "schedules/team/c.yaml"
    )
    checkout.write("x\ny\n", "schedules/team/names.txt")
    checkout.write("x", "app/code.py")
    checkout.commit()
    checkout.branch()
    checkout.repository.git.config("uploadpack.allowFilter", "true")
    return checkout


def clone(sparse: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> Checkout:
    root = tmp_path / "clone"
    git.Git(tmp_path).execute(["git", "clone", "--sparse", "--branch=main", *options, sparse.root.as_uri(), str(root)])
    monkeypatch.chdir(root)
    for name, value in {"user.name": "Sam", "user.email": "sam@example.org"}.items():
        git.Git(root).execute(["git", "config", name, value])
    return Checkout(root, git.Repo(root), sparse.command)


def names() -> list[str]:
    return sorted(files_of(Target(read_config(None)), no_sources).desired.schedules)


@pytest.mark.parametrize("index", ["true", "false"])
def test_what_is_left_out_is_read_from_the_index(
    sparse: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: str
) -> None:
    here = clone(sparse, tmp_path, monkeypatch)
    here.repository.git.execute(["git", "sparse-checkout", "reapply"])
    here.repository.git.config("index.sparse", index)
    for kept in ("app", "schedules"):
        here.repository.git.execute(["git", "sparse-checkout", "set", "--cone", kept])
        files = files_of(Target(read_config(None)), no_sources)

        assert (sorted(files.desired.schedules), files.dirty_files) == (ALL, ())
        assert (changes(here.json("HEAD")), changes(here.json())) == ([], [])
        assert "4 schedules in 3 files" in here.command("validate").err
    assert not (here.root / "app").exists()


def test_a_part_that_is_left_out_is_no_delete(
    sparse: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = clone(sparse, tmp_path, monkeypatch)
    here.repository.git.execute(
        ["git", "sparse-checkout", "set", "--no-cone", "/schedsync.toml", "schedules/shop.yaml"]
    )
    here.schedules("  a: {task: t, every: 5h}\n")

    assert not (here.root / "schedules/team").exists()
    assert [change[:2] for change in changes(here.json())] == [("update", "a")]
    assert files_of(Target(read_config(None)), no_sources).dirty_files == ("schedules/shop.yaml",)
    assert names() == ALL


def test_a_path_that_is_left_out_can_be_given(
    sparse: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = clone(sparse, tmp_path, monkeypatch)

    assert "3 schedules in 2 files" in here.command("validate", "schedules/team").err
    assert "1 schedule in 1 file" in here.command("validate", "schedules/team/b.yaml").err
    assert here.command("validate", "schedules/nowhere").code == 64


def test_a_staged_delete_is_one(sparse: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = clone(sparse, tmp_path, monkeypatch)
    here.repository.git.execute(["git", "rm", "--sparse", "--quiet", "schedules/team/b.yaml"])

    assert [change[:2] for change in changes(here.json())] == [("delete", "b")]


def test_a_file_that_was_deleted_by_hand_is_one(
    sparse: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = clone(sparse, tmp_path, monkeypatch)
    here.repository.git.execute(["git", "sparse-checkout", "set", "schedules"])
    (here.root / "schedules/team/b.yaml").unlink()

    assert [change[:2] for change in changes(here.json())] == [("delete", "b")]


def test_a_partial_clone_says_what_to_fetch(sparse: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = clone(sparse, tmp_path, monkeypatch, "--filter=blob:none")
    validated = here.command("validate")
    here.repository.git.execute(["git", "sparse-checkout", "add", "schedules"])

    assert (validated.code, "git fetch --refetch --no-filter origin" in validated.err) == (69, True), validated
    assert here.command("validate").code == 0
