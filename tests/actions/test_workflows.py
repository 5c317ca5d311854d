"""The workflows that others call, run in a repository that is not ours, against a stand-in for GitHub."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.actions.forge import AFTER, BEFORE, Forge
from tests.actions.github import BOT
from tests.actions.runner import ACTIONS, WORKFLOWS

pytestmark = pytest.mark.skipif(shutil.which("gh") is None, reason="no gh on this machine")

CALLED = ("schedules-review.yml", "schedules-comment.yml", "schedules-apply.yml", "schedules-drift.yml")
WHERE = {"path": "services/shop/schedules", "environment": "production"}
FILE = "services/shop/schedules/shop.yaml"


def event_of(number: int, head: str, repository: str = "acme/shop") -> dict[str, Any]:
    pull_request = {"number": number, "head": {"sha": head, "repo": {"full_name": repository}}}
    return {"event": {"pull_request": pull_request}, "token": "x", "repository": "acme/shop", "sha": head}


def pushed(commit: str) -> dict[str, Any]:
    return {"event": {}, "token": "x", "repository": "acme/shop", "sha": commit}


def merged(number: int, head: str, commit: str, repository: str = "acme/shop") -> dict[str, Any]:
    return {
        "number": number, "merged_at": "2026-11-27T12:00:00Z", "merge_commit_sha": commit,
        "head": {"sha": head, "label": "x:y", "repo": {"full_name": repository}},
    }  # fmt: skip


@pytest.fixture
def monorepo(forge: Forge, database: dict[str, str]) -> Forge:
    """A repository whose schedules are in a subdirectory, applied once, with a snapshot of the database."""
    forge.write(BEFORE, FILE)
    (forge.root / "services/shop/schedsync.toml").write_text('environments = ["production", "staging"]\n')
    (forge.root / "requirements.txt").write_text("schedsync\n")
    forge.commit()
    settings = {"settings": "shop.settings", **WHERE}
    applied = forge.run("apply", flags="--settle 0 --adopt-all", **settings)
    assert applied.code == 0, applied.log
    command = ["schedsync", "snapshot", WHERE["path"], "--settings", "shop.settings"]
    subprocess.run([*command, "--out", "snapshot.json"], cwd=forge.root, env=forge.environment, check=True)
    forge.commit()
    return forge


def reviewed(monorepo: Forge) -> tuple[str, str]:
    """Review a pull request, and merge it by a squash; returns the head and the commit of the merge."""
    repository = monorepo.repository
    repository.git.checkout("-b", "feature")
    monorepo.write(AFTER, FILE)
    head = monorepo.commit()
    ran = monorepo.runner(event_of(7, head)).workflow("schedules-review.yml", {**WHERE, "against": "snapshot.json"})
    assert ran is not None
    assert ran.code == 0, ran.log
    repository.git.checkout("main")
    repository.git.merge("feature", squash=True)
    return head, monorepo.commit()


def apply(monorepo: Forge, commit: str) -> Any:
    inputs = {**WHERE, "settings": "shop.settings", "reviewed": True, "flags": "--settle 0"}
    return monorepo.runner(pushed(commit)).workflow("schedules-apply.yml", inputs, {"database-url": "none"})


def test_the_plan_that_the_review_kept_is_applied_after_a_squash_merge(monorepo: Forge) -> None:
    head, commit = reviewed(monorepo)
    monorepo.github.pulls.append(merged(7, head, commit))
    ran = apply(monorepo, commit)

    assert (ran.code, ran.outputs) == (0, {"changes": "2", "failure-reason": ""}), ran.log
    assert "got the plan that the review of pull request 7 kept" in ran.log
    assert [one["issue"] for one in monorepo.github.comments] == [7]
    review, plan = (each["name"] for each in monorepo.github.artifacts)
    assert review.startswith("schedules-review-services-shop-schedules-production-")
    assert plan.startswith("schedules-plan-services-shop-schedules-production-")


def test_a_change_that_was_not_reviewed_is_refused(monorepo: Forge) -> None:
    head, _ = reviewed(monorepo)
    monorepo.write(AFTER + "  slipped-in: {task: t, every: 1d}\n", FILE)
    commit = monorepo.commit()
    monorepo.github.pulls.append(merged(7, head, commit))
    ran = apply(monorepo, commit)

    assert (ran.code, ran.outputs["failure-reason"]) == (3, "refused")
    assert "the reviewed plan does not create `slipped-in`" in ran.log


def test_the_comment_says_where_and_by_whom_the_change_was_applied(monorepo: Forge) -> None:
    head, commit = reviewed(monorepo)
    before = monorepo.github.comments[0]["body"]
    monorepo.github.pulls.append(merged(7, head, commit))
    monorepo.environment["GITHUB_ACTOR"] = "maria`<b>"
    ran = apply(monorepo, commit)
    marker, line, empty, *rest = monorepo.github.comments[0]["body"].splitlines()

    assert (ran.code, len(monorepo.github.comments)) == (0, 1), ran.log
    assert [marker, *rest] == before.splitlines()
    assert empty == ""
    day = r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d+ [A-Z][a-z]{2} \d\d:\d\d UTC"
    told = rf"\*\*✓\*\* applied in `production` at {day} by `maria\?<b>`, run `[0-9a-f]{{8}}`"
    assert re.fullmatch(rf"{told} <!-- schedsync applied [0-9a-f]{{16}} -->", line)


def test_an_apply_that_may_not_comment_is_applied_all_the_same(monorepo: Forge) -> None:
    head, commit = reviewed(monorepo)
    monorepo.github.pulls.append(merged(7, head, commit))
    before = monorepo.github.comments[0]["body"]
    monorepo.github.forbidden = True
    inputs = {**WHERE, "settings": "shop.settings", "flags": "--settle 0"}
    ran = monorepo.runner(pushed(commit)).workflow("schedules-apply.yml", inputs, {"database-url": "none"})

    assert ran is not None
    assert (ran.code, ran.outputs["changes"]) == (0, "2"), ran.log
    assert "needs `pull-requests: write`" in ran.log
    assert monorepo.github.comments[0]["body"] == before


@pytest.mark.parametrize(
    ("number", "repository", "kept_from", "message"),
    [
        (0, "acme/shop", 1, "is not the merge of a pull request"),
        (7, "mallory/shop", 1, "pull request 7 came from a fork"),
        (7, "acme/shop", 2, "kept no artifact `schedules-plan-services-shop-schedules-production-"),
    ],
)  # fmt: skip
def test_without_a_plan_that_can_be_trusted_nothing_is_applied(
    monorepo: Forge, number: int, repository: str, kept_from: int, message: str
) -> None:
    head, commit = reviewed(monorepo)
    for artifact in monorepo.github.artifacts:
        artifact["workflow_run"]["head_repository_id"] = kept_from
    if number:
        monorepo.github.pulls.append(merged(number, head, commit, repository))
    ran = apply(monorepo, commit)

    assert (ran.code, ran.outputs["changes"]) == (1, "")
    assert "no reviewed plan: " in ran.log
    assert message in ran.log


def test_two_paths_have_their_own_artifacts_comments_and_groups(forge: Forge) -> None:
    for path in ("a-b/schedules", "a/b/schedules"):
        forge.write(BEFORE, f"{path}/shop.yaml")
    forge.commit()
    forge.repository.git.checkout("-b", "feature")
    for path in ("a-b/schedules", "a/b/schedules"):
        forge.write(AFTER, f"{path}/shop.yaml")
    head = forge.commit()
    runs = [
        forge.runner(event_of(7, head)).workflow("schedules-review.yml", {"path": path})
        for path in ("a-b/schedules", "a/b/schedules", "a/b/schedules/")
    ]

    assert [ran.code for ran in runs if ran] == [0, 0, 0]
    assert {ran.group for ran in runs if ran} == {
        "schedules-review-7-a-b/schedules-", "schedules-review-7-a/b/schedules-", "schedules-review-7-a/b/schedules/-",
    }  # fmt: skip
    names = [each["name"] for each in forge.github.artifacts]
    assert (len(names), len(set(names)), names[1]) == (3, 2, names[2])


def test_one_job_reviews_plans_and_applies_all_sets(forge: Forge, database: dict[str, str]) -> None:
    for name in ("shop", "mail"):
        forge.write(f"  {name}-job: {{task: shop.tasks.nightly, every: 1d}}\n", f"{name}/schedules/jobs.yaml")
        (forge.root / f"{name}/schedsync.toml").write_text(f'set = "{name}"\n')
    forge.commit()
    forge.repository.git.checkout("-b", "feature")
    for name in ("shop", "mail"):
        forge.write(f"  {name}-job: {{task: shop.tasks.nightly, every: 2d}}\n", f"{name}/schedules/jobs.yaml")
    forge.commit()
    review = forge.run("plan", flags="--all")
    plan = forge.run("plan", verb="plan", comment="false", flags="--all", **database)
    applied = forge.run("apply", flags="--all --settle 0", **database)
    forge.write("  bad: {task: t, every: 0s}\n", "shop/schedules/bad.yaml")
    wrong = forge.run("apply", flags="--all --settle 0", **database)

    assert [(ran.code, ran.outputs["changes"]) for ran in (review, plan, applied)] == [(0, "2")] * 3, applied.log
    assert all(f"## `{name}`" in forge.github.comments[0]["body"] for name in ("shop", "mail"))
    assert (wrong.code, wrong.outputs["failure-reason"]) == (1, "invalid")
    assert "| 1 error in the files, nothing was compared or written" in wrong.log


def test_a_forks_pull_request_gets_its_comment_from_the_default_branch(forge: Forge, tmp_path: Path) -> None:
    event = fork_of(forge, tmp_path)
    ran = forge.runner(event).workflow("schedules-comment.yml")

    assert ran is not None
    assert ran.code == 0, ran.log
    assert [(one["issue"], one["user"]["login"]) for one in forge.github.comments] == [(7, BOT)]
    assert "1 to delete" in forge.github.comments[0]["body"]
    assert (forge.root / "schedules/shop.yaml").read_text().count("gone") == 1
    assert ran.group == "schedules-comment-2-x--"


def test_a_pull_request_of_our_own_branch_needs_no_second_comment(forge: Forge, tmp_path: Path) -> None:
    event = fork_of(forge, tmp_path)
    event["event"]["workflow_run"]["head_repository"]["full_name"] = "acme/shop"

    assert forge.runner(event).workflow("schedules-comment.yml") is None


def test_a_closed_pull_request_gets_no_comment(forge: Forge, tmp_path: Path) -> None:
    event = fork_of(forge, tmp_path)
    forge.github.pulls.clear()
    ran = forge.runner(event).workflow("schedules-comment.yml")

    assert ran is not None
    assert (ran.code, forge.github.comments) == (0, [])
    assert "no open pull request has this commit any more" in ran.log


def test_gh_asks_the_enterprise_server_that_runs_the_job(forge: Forge, tmp_path: Path) -> None:
    forge.github.name = forge.environment["GITHUB_SERVER_URL"] = "ghe.example.org"
    forge.environment["GITHUB_SERVER_URL"] = "https://ghe.example.org"
    ran = forge.runner(fork_of(forge, tmp_path)).workflow("schedules-comment.yml")

    assert ran is not None
    assert ran.code == 0, ran.log
    assert forge.github.hosts == {"ghe.example.org"}
    assert len(forge.github.comments) == 1


def test_each_script_of_the_workflows_and_actions_runs(monorepo: Forge, tmp_path: Path) -> None:
    head, commit = reviewed(monorepo)
    monorepo.github.pulls.append(merged(7, head, commit))
    executed: list[str] = []
    runs = [
        ("schedules-review.yml", event_of(7, head), {**WHERE, "against": "snapshot.json"}),
        ("schedules-comment.yml", fork_of(monorepo, tmp_path), {}),
        ("schedules-apply.yml", pushed(commit), {**WHERE, "settings": "shop.settings", "reviewed": True}),
        ("schedules-drift.yml", pushed(commit), {**WHERE, "settings": "shop.settings"}),
    ]
    for name, event, inputs in runs:
        runner = monorepo.runner(event)
        ran = runner.workflow(name, inputs)
        assert ran is not None
        assert ran.code == 0, ran.log
        executed += runner.executed
    for action in ("apply", "drift"):
        runner = monorepo.runner(pushed(commit))
        runner.action(action, {**WHERE, "settings": "shop.settings", "install": "true"})
        executed += runner.executed
        (installed,) = {line.split()[-1] for line in runner.installed.read_text().splitlines()}
        assert (Path(installed).resolve() / "pyproject.toml").exists()

    assert scripts() - set(executed) == set()


def scripts() -> set[str]:
    """Return the scripts of all steps of the workflows that others call, and of the actions."""
    definitions = [yaml.safe_load((WORKFLOWS / name).read_text()) for name in CALLED]
    steps = [step for definition in definitions for job in definition["jobs"].values() for step in job["steps"]]
    for file in ACTIONS.glob("*/action.yml"):
        steps += yaml.safe_load(file.read_text())["runs"]["steps"]
    return {step["run"] for step in steps if "run" in step}


def fork_of(forge: Forge, tmp_path: Path) -> dict[str, Any]:
    """Open pull request 7 of a fork, of which only GitHub has the commit; returns the event after the fork's run."""
    base, head = forge.push_from_fork(tmp_path / "acme/shop")
    repository = {"id": 2, "full_name": "mallory/shop", "owner": {"login": "mallory"}}
    source = {"sha": head, "label": "mallory:x", "repo": {"full_name": "mallory/shop"}}
    forge.github.pulls.append({"number": 7, "merge_commit_sha": None, "head": source, "base": {"sha": base}})
    run = {"event": "pull_request", "head_sha": head, "head_branch": "x", "head_repository": repository}
    return {
        "event": {"workflow_run": run}, "token": "x", "repository": "acme/shop", "sha": base,
        "server_url": tmp_path.as_uri(),
    }  # fmt: skip


def test_the_workflows_handle_all_sets(forge: Forge, database: dict[str, str]) -> None:
    (forge.root / "requirements.txt").write_text("schedsync\n")
    for name in ("a", "b"):
        forge.write(f"  {name}-job: {{task: t, every: 1d}}\n", f"{name}/schedules/x.yaml")
        (forge.root / f"{name}/schedsync.toml").write_text(f'set = "{name}"\nenvironments = ["production"]\n')
    inputs = {**database, "environment": "production"}
    runner = forge.runner(pushed(forge.commit()))
    applied = runner.workflow("schedules-apply.yml", {**inputs, "flags": "--all --settle 0"})
    drift = runner.workflow("schedules-drift.yml", {**inputs, "flags": "--all"})

    assert applied is not None
    assert drift is not None
    assert (applied.code, applied.outputs["changes"]) == (0, "2"), applied.log
    assert (drift.code, drift.summary.count("### Drift in ")) == (0, 2), drift.log


def test_flags_of_apply_leave_its_waiting_time() -> None:
    job = yaml.safe_load((WORKFLOWS / "schedules-apply.yml").read_text())["jobs"]["apply"]
    (step,) = (each for each in job["steps"] if each.get("id") == "apply")

    assert step["with"]["flags"] == "--lock-timeout 120s ${{ inputs.flags }}"
