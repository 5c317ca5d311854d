"""Which files that a set reads differ from the commit."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import git
import pytest

from schedsync.config import read_config
from schedsync.core.sources import no_sources
from schedsync.errors import WrongUsage
from schedsync.git.origin import revision
from schedsync.git.repository import Repository
from schedsync.usecases.target import Target, files_of

SCHEDULES = "version: 1\nschedules:\n  a-{n}: {task: t, every: 1h, for_each: {n: {file: names.txt}}}\n"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    repository = git.Repo.init(tmp_path / "repository")
    with repository.config_writer() as config:
        config.set_value("user", "name", "t").set_value("user", "email", "t@example.org")
    root = Path(repository.working_dir)
    (root / "schedules/sub").mkdir(parents=True)
    (root / "schedsync.toml").write_text('set = "shop"\n')
    (root / ".gitignore").write_text("ignored.yaml\n")
    (root / "schedules/names.txt").write_text("x\ny\n")
    (root / "schedules/a.yaml").write_text(SCHEDULES)
    (root / "schedules/sub/b.yaml").write_text("version: 1\n")
    (root / "README").write_text("x\n")
    commit(root)
    monkeypatch.chdir(root)
    return root


def commit(root: Path) -> None:
    repository = git.Repo(root)
    repository.git.add(all=True)
    repository.index.commit("change")


def differing(path: str | None = "schedules") -> tuple[str, ...]:
    return files_of(Target(read_config(path)), no_sources).dirty_files


def test_a_clean_tree_differs_in_nothing(tree: Path) -> None:
    (tree / "README").write_text("another\n")
    (tree / "schedules/notes.md").write_text("not read\n")

    assert differing() == ()
    assert differing(None) == ()
    assert differing("schedules/a.yaml") == ()


@pytest.mark.parametrize("name", ["schedsync.toml", "schedules/names.txt", "schedules/a.yaml", "schedules/sub/b.yaml"])
def test_each_file_that_is_read_can_differ(tree: Path, name: str) -> None:
    with (tree / name).open("a") as stream:
        stream.write("\n# edited\n")

    assert differing() == (name,)


def test_a_staged_edit_is_not_committed(tree: Path) -> None:
    (tree / "schedules/a.yaml").write_text("version: 1\n")
    git.Repo(tree).git.add(all=True)

    assert differing() == ("schedules/a.yaml",)


def test_bits_of_the_index_hide_no_edit(tree: Path) -> None:
    repository = git.Repo(tree)
    repository.git.update_index("--assume-unchanged", "schedules/a.yaml")
    repository.git.update_index("--skip-worktree", "schedules/sub/b.yaml")
    for name in ("schedules/a.yaml", "schedules/sub/b.yaml"):
        (tree / name).write_text("version: 1\nx-edited: true\n")

    assert differing() == ("schedules/a.yaml", "schedules/sub/b.yaml")


def test_untracked_and_ignored_files_that_are_read_differ(tree: Path) -> None:
    for name in ("ignored.yaml", "new.yaml"):
        (tree / "schedules" / name).write_text("version: 1\n")

    assert differing() == ("schedules/ignored.yaml", "schedules/new.yaml")


def test_deleted_files_differ(tree: Path) -> None:
    (tree / "schedules/sub/b.yaml").unlink()
    (tree / "schedsync.toml").unlink()

    assert differing() == ("schedsync.toml", "schedules/sub/b.yaml")


def test_a_link_differs_where_it_leads_elsewhere(tree: Path) -> None:
    (tree / "schedules/.kept").mkdir()
    for name in ("c", "d"):
        (tree / f"schedules/.kept/{name}.yaml").write_text("version: 1\n")
    (tree / "schedules/link.yaml").symlink_to(".kept/c.yaml")
    commit(tree)
    clean = differing()
    (tree / "schedules/link.yaml").unlink()
    (tree / "schedules/link.yaml").symlink_to(".kept/d.yaml")

    assert clean == ()
    assert differing() == ("schedules/link.yaml",)


def test_line_ends_that_git_converts_are_no_difference(tree: Path) -> None:
    (tree / "schedules/a.yaml").write_bytes(SCHEDULES.replace("\n", "\r\n").encode())

    assert differing() == ()


def test_a_submodule_is_passed_over_and_another_repository_is_not(tree: Path) -> None:
    for name in ("inner", "loose"):
        nested = git.Repo.init(tree / name)
        with nested.config_writer() as config:
            config.set_value("user", "name", "t").set_value("user", "email", "t@example.org")
        (tree / name / "x.yaml").write_text("version: 1\n")
        nested.git.add(all=True)
        nested.index.commit("x")
    inner = git.Repo(tree / "inner").head.commit.hexsha
    git.Repo(tree).git.update_index("--add", "--cacheinfo", f"160000,{inner},inner")
    git.Repo(tree).git.execute(["git", "commit", "-m", "inner"])

    assert differing("inner") == ()
    assert differing("loose") == ("loose/x.yaml",)


def test_git_is_asked_as_often_for_many_files_as_for_one(tree: Path) -> None:
    asked = []
    run = Repository._run

    def counted(self: Repository, *words: str) -> tuple[int, str]:
        asked.append(words[0])
        return run(self, *words)

    with patch.object(Repository, "_run", counted):
        differing()
        few = len(asked)
        for number in range(50):
            directory = tree / f"schedules/more-{number}"
            directory.mkdir()
            (directory / "a.yaml").write_text("version: 1\n")
        asked.clear()
        many = differing()

    assert (len(many), len(asked)) == (50, few)


def test_a_given_commit_must_be_that_of_the_checkout(tree: Path, tmp_path: Path) -> None:
    head = git.Repo(tree).head.commit.hexsha

    assert revision([tree / "schedules"], given=head).commit == head
    assert revision([tmp_path], given="a" * 40).commit == "a" * 40
    with pytest.raises(WrongUsage, match="this checkout is at"):
        revision([tree / "schedules"], given="a" * 40)
