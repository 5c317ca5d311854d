"""Where the files of a project belong, and which CI its repository uses."""

from __future__ import annotations

from pathlib import Path

import git
import pytest

from schedsync.core.setup import Ci, Layout
from schedsync.usecases.project_layout import ci_of, layout_here, remote_of


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of a repository, and the working directory."""
    git.Repo.init(tmp_path).close()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("remote", "files", "kind"),
    [
        (None, [], None),
        ("git@gitlab.example.org:shop/shop.git", [], "gitlab"),
        ("https://user:secret@github.com/shop/shop", [], "github"),
        ("ssh://git@git.example.org/github/gitlab.git", [], None),
        ("/srv/github/shop.git", [], None),
        ("https://github.com/shop/shop", [".gitlab-ci.yml"], "gitlab"),
        ("https://gitlab.com/shop/shop", [".github/x"], "github"),
        ("https://gitlab.com/shop/shop", [".github/x", ".gitlab-ci.yml"], "gitlab"),
        (None, [".github/x", ".gitlab-ci.yml"], "github"),
    ],
)
def test_the_kind_of_ci_is_that_of_its_files_or_of_the_remote(
    root: Path, remote: str | None, files: list[str], kind: Ci | None
) -> None:
    if remote:
        with git.Repo(root) as repository:
            repository.create_remote("upstream", remote)
    for name in files:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).touch()

    assert ci_of(root) == kind


def test_without_git_there_is_neither_ci_nor_a_remote(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    assert (ci_of(None), remote_of(None), remote_of(root), ci_of(root)) == (None, None, None, None)


def test_a_layout_leads_from_the_working_directory_to_the_root(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = layout_here()
    (root / "apps/shop/schedules").mkdir(parents=True)
    (root / "apps/shop/schedules/__init__.py").touch()
    monkeypatch.chdir(root / "apps/shop")
    below = layout_here()

    assert (here, here.from_root("x")) == (Layout(Path(), "", "schedules"), "x")
    assert (below, below.from_root("x")) == (Layout(Path("../.."), "apps/shop", "beat-schedules"), "apps/shop/x")


def test_without_git_the_root_is_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert layout_here() == Layout(Path(), "", "schedules")
