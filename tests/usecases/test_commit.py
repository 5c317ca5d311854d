"""The commit that an apply is recorded under: with uncommitted changes, and outside a checkout."""

from __future__ import annotations

import json
from pathlib import Path

import git
import pytest

from schedsync.core.origin import Binding, commit_from, recorded_commit
from schedsync.database.audit import last_binding
from schedsync.models import ManagedSchedule, SyncRun
from schedsync.schemas.validator import PLAN, problems
from tests.conftest import Project

ONE = "  one: {task: t.one, every: 30s}\n"
TWO = ONE + "  two: {task: t.two, every: 1h}\n"


@pytest.fixture
def checkout(project: Project) -> Project:
    """A project in a repository, with an environment; its files are committed."""
    project.write('environments = ["production"]\n', "schedsync.toml")
    project.schedules(ONE)
    commit(project.root)
    return project


def commit(root: Path) -> str:
    repository = git.Repo.init(root, initial_branch="main")
    repository.git.add("schedules", "schedsync.toml")
    repository.git.execute(["git", "-c", "user.name=s", "-c", "user.email=s@example.org", "commit", "-m", "x"])
    return repository.head.commit.hexsha


def test_uncommitted_changes_are_refused_where_an_environment_is_chosen(checkout: Project) -> None:
    checkout.schedules(TWO)
    head = git.Repo(checkout.root).head.commit.hexsha
    plan, refused = checkout.plan("-e", "production"), checkout.apply("-e", "production")
    said = json.loads(checkout.plan("-e", "production", "--format", "json").out)
    allowed = checkout.apply("-e", "production", "--allow-dirty")
    run = SyncRun.objects.latest("at")

    assert f"at {head[:12]} + uncommitted changes" in plan.out
    assert f"  1 file differs from commit {head[:12]}: schedules/shop.yaml" in refused.err
    assert (refused.code, "--allow-dirty" in refused.err) == (3, True)
    assert (said["dirty"], list(problems(said, PLAN))) == (True, [])
    assert (allowed.code, "warning  SS178  1 file differs" in allowed.out) == (0, True)
    assert run.commit == f"{head}+dirty"
    assert set(ManagedSchedule.objects.values_list("commit", flat=True)) == {f"{head}+dirty"}
    assert last_binding(checkout.using, "default") == Binding("production", run.repository, "schedules", head, True)
    assert checkout.drift("-e", "production").out.startswith(
        f"No drift in set default in production at {head[:12]} + uncommitted changes"
    )


def test_without_an_environment_the_apply_names_and_records_them(checkout: Project) -> None:
    checkout.schedules(TWO)
    done = checkout.apply()
    later = commit(checkout.root)
    checkout.schedules(ONE)
    commit(checkout.root)

    assert (done.code, "warning  SS178  " in done.out) == (0, True)
    assert SyncRun.objects.latest("at").commit.endswith("+dirty")
    assert checkout.apply().code == 0
    assert not SyncRun.objects.latest("at").commit.endswith("+dirty")
    git.Repo(checkout.root).git.checkout(later)
    assert "older_commit" in checkout.apply().err


def test_a_commit_of_sha256_is_recorded_within_its_column() -> None:
    binding = Binding(commit="ab" * 32, dirty=True)
    recorded = recorded_commit(binding)

    assert recorded == ("ab" * 32)[:58] + "+dirty"
    assert commit_from(recorded) == (("ab" * 32)[:58], True)
    assert commit_from(recorded_commit(Binding(commit="ab" * 32))) == ("ab" * 32, False)


def test_outside_a_checkout_the_commit_can_be_given(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.schedules(ONE)
    first = project.apply("--commit", "A" * 40)
    same = project.plan("--commit", "a" * 40)
    monkeypatch.setenv("SCHEDSYNC_COMMIT", "b" * 40)
    project.schedules(TWO)
    allowed = project.plan("--allow-older")
    second, drift = project.apply(), project.drift()
    commits = list(SyncRun.objects.order_by("at").values_list("commit", flat=True))

    assert (first.code, second.code) == (0, 0)
    assert commits == ["a" * 40, "b" * 40]
    assert "SS162" not in same.out
    assert "warning  SS162  commit aaaaaaaaaaaa was applied last; commit bbbbbbbbbbbb, in no Git checkout" in second.out
    assert "SS162" not in allowed.out
    assert "at bbbbbbbbbbbb" in drift.out


@pytest.mark.one_database
@pytest.mark.parametrize("text", ["main", "abc123", "a" * 39, "a" * 41, "--upload-pack", "a" * 63])
def test_a_commit_is_given_by_its_full_id(project: Project, text: str) -> None:
    project.schedules(ONE)
    done = project.plan(f"--commit={text}")

    assert (done.code, "not the full id of a commit" in done.err) == (64, True)


@pytest.mark.one_database
def test_in_a_checkout_a_given_commit_must_agree(checkout: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    head = git.Repo(checkout.root).head.commit.hexsha
    monkeypatch.setenv("SCHEDSYNC_COMMIT", "a" * 40)
    refused = checkout.apply()

    assert (refused.code, "commit aaaaaaaaaaaa is given, but this checkout is at" in refused.err) == (64, True)
    assert checkout.apply("--commit", head).code == 0
