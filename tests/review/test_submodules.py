"""Schedules in a submodule are treated alike on both sides, and never pass for compared."""

from __future__ import annotations

from pathlib import Path

import git
import pytest

from tests.review.repository import Checkout, changes


@pytest.fixture
def module(tmp_path: Path) -> git.Repo:
    """A repository with schedules, in two commits."""
    repository = git.Repo.init(tmp_path / "module", initial_branch="main")
    for name, value in {"user.name": "m", "user.email": "m@example.org"}.items():
        repository.git.config(name, value)
    for every in ("1h", "1m"):
        path = tmp_path / "module/inner/x.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"version: 1\nschedules:\n  of-module: {{task: t, every: {every}}}\n")
        repository.git.add(all=True)
        repository.index.commit(every)
    return repository


def add(checkout: Checkout, module: git.Repo, path: str) -> git.Repo:
    """Add the module as a submodule, at its first commit."""
    word = ["git", "-c", "protocol.file.allow=always", "submodule", "add", str(module.working_dir), path]
    checkout.repository.git.execute(word)
    nested = git.Repo(checkout.root / path)
    nested.git.checkout("HEAD~1")
    return nested


@pytest.fixture
def moved(checkout: Checkout, module: git.Repo) -> Checkout:
    """A branch that moves a submodule below the directory of the schedules."""
    checkout.write('set = "shop"\n', "schedsync.toml")
    checkout.schedules("  a: {task: t, every: 2h}\n")
    nested = add(checkout, module, "schedules/module")
    checkout.commit()
    checkout.branch()
    nested.git.checkout("main")
    checkout.commit()
    return checkout


@pytest.mark.parametrize("words", [(), ("main",), ("main", "feature")])
def test_a_submodule_that_moves_is_named(moved: Checkout, words: tuple[str, ...]) -> None:
    configured = moved.json(*words)
    given = moved.json(*words, "--path", "schedules")

    for said in (configured, given):
        new = [finding for finding in said["findings"] if finding["new"]]
        assert [(finding["code"], finding["severity"]) for finding in new] == [("SS165", "error")]
        assert "the submodule `schedules/module` moves from " in new[0]["message"]
        assert changes(said) == []
    assert (moved.review(*words).code, moved.review(*words, "--path", "schedules").code) == (1, 1)


@pytest.mark.parametrize("words", [(), ("main", "feature"), ("feature",)])
def test_it_is_found_alike_on_both_sides(moved: Checkout, words: tuple[str, ...]) -> None:
    found = [
        each for each in moved.json(*words)["findings"] if each["message"] == "a submodule: its files are not read"
    ]

    assert [(each["location"]["path"], each["new"]) for each in found] == [("schedules/module", False)]


def test_nothing_passes_for_unchanged_where_a_submodule_moves(moved: Checkout) -> None:
    texts = [moved.review("main", "--format", format_).out for format_ in ("markdown", "html", "text")]

    assert texts[0].startswith("### Schedules: 1 new error; not everything is compared · ")
    assert ["othing that runs is changed" in text for text in texts] == [False] * 3
    assert ["1 submodule not compared" in text for text in texts] == [True] * 3


def test_an_apply_reads_its_files_and_so_does_a_validation(moved: Checkout) -> None:
    for words in ((), ("schedules",)):
        done = moved.command("validate", *words)

        assert (done.code, "2 schedules in 2 files" in done.err, "SS165" in done.out) == (0, True, False)


def test_one_that_is_not_checked_out_is_found_too(moved: Checkout) -> None:
    moved.repository.git.execute(["git", "submodule", "deinit", "--force", "schedules/module"])
    said = moved.json("main")

    assert [(each["severity"], each["new"]) for each in said["findings"]] == [("error", True), ("warning", False)]
    assert moved.json("HEAD")["findings"][0]["new"] is False


def test_one_that_moves_in_the_work_tree_alone_is_named(moved: Checkout) -> None:
    git.Repo(moved.root / "schedules/module").git.checkout("HEAD~1")

    assert "moves from" in moved.json("HEAD")["findings"][0]["message"]


@pytest.mark.parametrize("path", ["vendor", "vendor/inner"])
@pytest.mark.parametrize("words", [(), ("main", "feature")])
@pytest.mark.parametrize("given", [True, False])
def test_a_set_in_a_submodule_is_reviewed_there(
    checkout: Checkout,
    module: git.Repo,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    words: tuple[str, ...],
    given: bool,
) -> None:
    checkout.write("" if given else f'paths = ["{path}"]\n', "schedsync.toml")
    nested = add(checkout, module, "vendor")
    checkout.commit()
    checkout.branch()
    nested.git.checkout("main")
    checkout.commit()
    done = checkout.review(*words, *(["--path", path] if given else []))
    monkeypatch.chdir(checkout.root / "vendor")
    there = checkout.json("HEAD~1", "HEAD", "--path", "inner")

    assert (done.code, done.out) == (64, "")
    assert f"`{path}` is in the submodule `vendor`, whose files a review does not read" in done.err
    assert [change[:2] for change in changes(there)] == [("update", "of-module")]
