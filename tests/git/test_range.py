"""Which commits a review compares: those that the user names, those that CI names, or where the branch began."""

from __future__ import annotations

from pathlib import Path

import git
import pytest

from tests.review.conftest import checkout, no_forge  # noqa: F401
from tests.review.repository import Checkout, changes

ONE = "  a: {task: t, every: 1h}\n"
MAIN = ONE + "  on-main: {task: t, every: 2h}\n"
FEATURE = ONE + "  on-feature: {task: t, every: 3h}\n"
SINCE_IT_BEGAN = [("create", "on-feature")]
BETWEEN_THE_TIPS = [("delete", "on-main"), ("create", "on-feature")]


@pytest.fixture
def diverged(checkout: Checkout) -> Checkout:  # noqa: F811
    """Two branches, each with a commit that the other has not; `feature` is checked out."""
    checkout.schedules(ONE)
    checkout.commit()
    checkout.branch()
    checkout.schedules(FEATURE)
    checkout.commit()
    checkout.repository.git.checkout("main")
    checkout.schedules(MAIN)
    checkout.commit()
    checkout.repository.git.checkout("feature")
    return checkout


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ((), SINCE_IT_BEGAN),
        (("main", "feature"), BETWEEN_THE_TIPS),
        (("main..feature",), BETWEEN_THE_TIPS),
        (("main...feature",), SINCE_IT_BEGAN),
        (("main..",), BETWEEN_THE_TIPS),
        (("main...",), SINCE_IT_BEGAN),
        (("..main",), [("delete", "on-feature"), ("create", "on-main")]),
        (("...main",), [("create", "on-main")]),
        (("feature~1..feature",), SINCE_IT_BEGAN),
    ],
)
def test_a_range_means_what_it_means_in_git(
    diverged: Checkout, words: tuple[str, ...], wanted: list[tuple[str, str]]
) -> None:
    assert [change[:2] for change in changes(diverged.json(*words))] == wanted


def test_the_head_of_a_range_is_a_commit_and_not_the_work_tree(diverged: Checkout) -> None:
    head = diverged.repository.commit("feature").hexsha
    diverged.schedules("")

    assert [diverged.json(words)["head"] for words in ("main..", "main...", "main..feature")] == [head] * 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("main..feature", "feature"), "`main..feature` names both revisions"),
        (("main...nowhere",), "no commit `nowhere`"),
        (("nowhere..",), "no commit `nowhere`"),
        (("main..feature..main",), "`feature..main`"),
    ],
)
def test_a_range_of_nothing_is_wrong_usage(diverged: Checkout, words: tuple[str, ...], message: str) -> None:
    done = diverged.review(*words)

    assert (done.code, message in done.err) == (64, True), done


@pytest.mark.parametrize("format_", ["text", "markdown", "html"])
@pytest.mark.parametrize(("words", "name"), [((), "main"), (("feature~1",), "feature~1"), (("main...",), "main")])
def test_every_rendering_names_the_base(diverged: Checkout, format_: str, words: tuple[str, ...], name: str) -> None:
    began = diverged.repository.commit("feature~1").hexsha[:12]

    assert f"{name} at {began}" in diverged.review("--format", format_, *words).out


@pytest.mark.parametrize(
    ("words", "name"), [(("main", "feature"), "feature"), (("main...",), "HEAD"), (("main..feature",), "feature")]
)
def test_a_page_names_the_head_and_the_repository(diverged: Checkout, words: tuple[str, ...], name: str) -> None:
    diverged.repository.create_remote("origin", "https://bot:s3cret@example.org/acme/shop.git")
    head = diverged.repository.commit("feature").hexsha
    page, by_id = (diverged.review("--format", "html", *given).out for given in (words, ("main", head)))

    for said in (page, by_id):
        assert "example.org/acme/shop" in said
        assert "s3cret" not in said
    assert f"{name} at {head[:12]}" in page
    assert f"<dd>{head[:12]}</dd>" in by_id


def test_a_base_that_was_named_by_its_id_has_no_other_name(diverged: Checkout) -> None:
    base = diverged.repository.commit("main").hexsha

    assert diverged.review(base).out.splitlines()[0] == f"Review: {base[:12]} → the work tree"
    assert diverged.json()["base_name"] == "main"


def clone(diverged: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> Checkout:
    bare, root = tmp_path / "bare.git", tmp_path / "clone"
    git.Repo.clone_from(str(diverged.root), bare, bare=True).close()
    git.Git(tmp_path).execute(["git", "clone", "--branch=feature", *options, bare.as_uri(), str(root)])
    monkeypatch.chdir(root)
    return Checkout(root, git.Repo(root), diverged.command)


CI = [
    ("GITHUB_BASE_REF", "release"),
    ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "release"),
    ("BITBUCKET_PR_DESTINATION_BRANCH", "release"),
    ("SYSTEM_PULLREQUEST_TARGETBRANCH", "refs/heads/release"),
    ("CHANGE_TARGET", "release"),
]


@pytest.mark.parametrize(("variable", "value"), CI)
def test_a_base_that_ci_names_and_that_is_missing_is_never_replaced(
    diverged: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    diverged.repository.git.branch("release", "feature~1")
    here = clone(diverged, tmp_path, monkeypatch)
    here.repository.git.update_ref("-d", "refs/remotes/origin/release")
    monkeypatch.setenv(variable, value)
    done = here.review()
    command = done.err.split("`")[3]
    with here.repository:
        here.repository.git.execute(command.split())
        fetched = here.json()

    assert (done.code, done.out) == (64, "")
    assert f"`release`, the base that {variable} names, is not in this clone" in done.err
    assert command == "git fetch origin +refs/heads/release:refs/remotes/origin/release"
    assert [change[:2] for change in changes(fetched)] == SINCE_IT_BEGAN
    assert fetched["base_name"] == "release"


def test_a_commit_that_gitlab_names_and_that_is_missing_is_never_replaced(
    diverged: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_MERGE_REQUEST_DIFF_BASE_SHA", "f" * 40)
    done = diverged.review()

    assert done.code == 64
    assert f"git fetch origin {'f' * 40}" in done.err


def test_what_a_shallow_clone_is_told_to_fetch_is_enough(
    diverged: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = clone(diverged, tmp_path, monkeypatch, "--depth=1")
    monkeypatch.setenv("GITHUB_BASE_REF", "main")
    done = here.review()
    with here.repository:
        here.repository.git.execute(done.err.split("`")[3].split())

    assert done.code == 64
    assert [change[:2] for change in changes(here.json())] == SINCE_IT_BEGAN


@pytest.mark.parametrize("name", ["a b", "x;touch y", "\x1b[31m", "-x"])
def test_a_strange_name_in_ci_is_wrong_usage(diverged: Checkout, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("GITHUB_BASE_REF", name)
    done = diverged.review()

    assert (done.code, done.out) == (64, "")
    assert "\x1b" not in done.err


def test_a_forecast_takes_one_revision(diverged: Checkout) -> None:
    done = diverged.command("forecast", "--compare", "main..feature")

    assert (done.code, "give one revision, not a range" in done.err) == (64, True)
