"""The actions, run as a runner runs them, against a stand-in for GitHub's HTTP interface."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from pathlib import Path

import cmarkgfm
import pytest

from tests.actions.forge import AFTER, BEFORE, Forge
from tests.actions.github import BOT
from tests.actions.runner import ACTIONS

pytestmark = pytest.mark.skipif(shutil.which("gh") is None, reason="no gh on this machine")


def test_a_review_comments_summarizes_annotates_and_counts(pull_request: Forge) -> None:
    ran = pull_request.run("plan")

    assert ran.code == 0
    assert [line for line in ran.log.splitlines() if not line.startswith("wrote ")] == []
    assert "1 to update, 1 to delete" in ran.summary
    assert [ran.outputs[name] for name in ("changes", "create", "update", "delete")] == ["2", "0", "1", "1"]
    assert (ran.outputs["failure-reason"], ran.outputs["exit-code"]) == ("", "0")
    assert [one["issue"] for one in pull_request.github.comments] == [7]
    assert pull_request.github.comments[0]["body"].splitlines()[0].startswith("<!-- schedsync ")
    assert ran.summary in pull_request.github.comments[0]["body"]
    assert Path(ran.outputs["html"]).read_text().startswith("<!doctype html>")
    assert Path(ran.outputs["sarif"]).exists()


def test_a_comment_that_is_cut_points_to_a_summary_that_is_not(pull_request: Forge) -> None:
    many = "".join(f"  job-{number}: {{task: t.{'x' * 90}{number}, every: 1d}}\n" for number in range(600))
    pull_request.write(AFTER + many)
    ran = pull_request.run("plan")
    body = pull_request.github.comments[0]["body"]

    assert len(body) <= 65_536
    assert "are left out here, because not everything fits.** `--format summary` and `--format json` list all" in body
    assert [number for number in range(600) if f"`job-{number}`" not in ran.summary] == []
    assert "left out" not in ran.summary
    assert body.endswith("\n[The job's summary](https://github.com/acme/shop/actions/runs/99)\n")


def test_a_comment_that_does_not_name_all_points_to_a_summary_that_does(pull_request: Forge) -> None:
    tenants = ", ".join(f"tenant-{number}" for number in range(300))
    pull_request.write(AFTER + f"  sync-{{t}}: {{task: t, every: 1d, for_each: {{t: [{tenants}]}}}}\n")
    ran = pull_request.run("plan")
    body = pull_request.github.comments[0]["body"]

    assert "- and 260 more of `sync-{t}: 300 schedules`. `--format summary` and `--format json` list all of it" in body
    assert "left out here" not in body
    assert body.endswith("\n[The job's summary](https://github.com/acme/shop/actions/runs/99)\n")
    assert [number for number in range(300) if f"`sync-tenant-{number}`" not in ran.summary] == []


def test_a_new_owner_that_needs_an_approval_is_commented(pull_request: Forge) -> None:
    (pull_request.root / "schedsync.toml").write_text('[approvals]\nteam = ["@acme/data"]\n')
    pull_request.write(BEFORE + "  z: {task: t, every: 1d, owner: me}\n")
    pull_request.commit()
    pull_request.repository.git.branch("--force", "main", "HEAD")
    pull_request.write(BEFORE + "  z: {task: t, every: 1d, owner: team}\n")
    pull_request.run("plan")

    assert ["Needs approval by `@acme/data`" in one["body"] for one in pull_request.github.comments] == [True]


def test_a_second_run_brings_the_comment_up_to_date_among_many(pull_request: Forge) -> None:
    planted = {"id": 1, "issue": 7, "user": {"login": "mallory"}, "body": "<!-- schedsync"}
    pull_request.github.comments += [planted | {"id": number} for number in range(5)]
    pull_request.run("plan")
    pull_request.write(AFTER + "  more: {task: t, every: 1d}\n")
    pull_request.run("plan")
    ours = [one for one in pull_request.github.comments if one["user"]["login"] == BOT]

    assert len(ours) == 1
    assert "1 to create" in ours[0]["body"]


def test_a_first_comment_needs_a_change_and_a_later_run_keeps_it_up_to_date(pull_request: Forge) -> None:
    pull_request.write(BEFORE)
    quiet = pull_request.run("plan")
    before = list(pull_request.github.comments)
    pull_request.write(AFTER)
    pull_request.run("plan")
    pull_request.write(BEFORE)
    pull_request.run("plan")

    assert ("no comment is written: nothing changes" in quiet.log, before) == (True, []), quiet.log
    assert (quiet.code, "nothing that runs is changed" in quiet.summary) == (0, True)
    assert len(pull_request.github.comments) == 1
    assert "nothing that runs is changed" in pull_request.github.comments[0]["body"]


@pytest.mark.parametrize("problem", ["configuration", "base"])
def test_what_fails_is_commented_although_nothing_is_known_to_change(pull_request: Forge, problem: str) -> None:
    pull_request.write(BEFORE)
    if problem == "configuration":
        (pull_request.root / "schedsync.toml").write_text("sett = 1\n")
    ran = pull_request.run("plan", base="nowhere" if problem == "base" else "", flags="--all")

    assert ran.code != 0
    assert len(pull_request.github.comments) == 1


def test_a_planted_marker_of_someone_else_is_left_alone(pull_request: Forge) -> None:
    pull_request.run("plan")
    pull_request.github.comments[0]["user"]["login"] = "mallory"
    body = pull_request.github.comments[0]["body"]
    pull_request.run("plan")

    assert pull_request.github.comments[0]["body"] == body
    assert len(pull_request.github.comments) == 2


def test_each_environment_has_its_comment(pull_request: Forge) -> None:
    (pull_request.root / "schedsync.toml").write_text('environments = ["staging", "production"]\n')
    for environment in ("staging", "production", "staging"):
        pull_request.run("plan", environment=environment)

    assert len(pull_request.github.comments) == 2


def test_errors_fail_the_job_after_the_comment_is_written(pull_request: Forge) -> None:
    pull_request.write('  bad: {task: t, crontab: "61 * * * *"}\n', "schedules/bad.yaml")
    ran = pull_request.run("plan")

    assert ran.code == 1
    assert "::error title=SS131,file=schedules/bad.yaml,line=3,col=28::minute: `61` is not within 0-59" in ran.log
    assert (ran.outputs["failure-reason"], ran.outputs["errors"]) == ("invalid", "1")
    assert "new error" in pull_request.github.comments[0]["body"]


def test_a_tool_that_cannot_work_fails_the_job_and_says_why(pull_request: Forge) -> None:
    ran = pull_request.run("plan", base="nowhere")

    assert ran.code == 64
    assert "no commit `nowhere`" in ran.log
    assert ran.outputs["failure-reason"] == "usage"
    assert "no commit `nowhere`" in ran.summary


def test_what_may_not_comment_says_which_right_is_missing(pull_request: Forge) -> None:
    pull_request.github.forbidden = True
    ran = pull_request.run("plan")

    assert (ran.code != 0, "pull-requests: write" in ran.log) == (True, True)


def test_without_a_pull_request_nothing_is_commented(pull_request: Forge) -> None:
    ran = pull_request.run("plan", {"event": {}, "token": "x"})

    assert (ran.code, pull_request.github.asked) == (0, [])


def test_hostile_names_forge_no_command_and_no_output(pull_request: Forge) -> None:
    name = "a\\n::error::x%0A::set-output name=changes::99 @team <img src=x>"
    pull_request.write(f'  "{name}": {{task: t, crontab: "61 * * * *"}}\n', "schedules/bad.yaml")
    (pull_request.root / "json.py").write_text("raise SystemExit('run from the checkout')\n")
    (pull_request.root / "pip.py").write_text("raise SystemExit('run from the checkout')\n")
    ran = pull_request.run("plan")

    assert [line for line in ran.log.splitlines() if line.startswith("::") and "title=SS1" not in line] == []
    assert "run from the checkout" not in ran.log
    assert ran.outputs["changes"] == "2"


def test_a_plan_is_saved_reviewed_and_applied(forge: Forge, database: dict[str, str]) -> None:
    forge.write(BEFORE)
    forge.commit()
    planned = forge.run("plan", verb="plan", **database)
    applied = forge.run("apply", reviewed=planned.outputs["plan"], flags="--settle 0", **database)
    forge.write(BEFORE + "  slipped-in: {task: t, every: 1d}\n")
    refused = forge.run("apply", reviewed=planned.outputs["plan"], **database)

    assert (planned.code, planned.outputs["create"]) == (0, "2")
    assert planned.outputs["checksum"].startswith("sha256:")
    assert (applied.code, applied.outputs["create"], "2 created" in applied.summary) == (0, "2", True), applied.log
    assert (refused.code, refused.outputs["failure-reason"]) == (3, "refused")
    assert "the reviewed plan does not create `slipped-in`" in refused.log
    assert "the reviewed plan does not create `slipped-in`" in refused.summary


def run_of(environment: str, run: str, **more: str) -> dict[str, str]:
    return {
        "set": "shop",
        "environment": environment,
        "run": run,
        "who": "jo",
        "at": "2026-11-27T12:04:05+00:00",
        **more,
    }


def applied(forge: Forge, *parts: dict[str, str], path: str = "") -> str:
    """Say of the merge of pull request 7 that it was applied; returns the log."""
    file = forge.root.parent / "report.json"
    file.write_text(json.dumps({"sets": parts} if len(parts) > 1 else parts[0]))
    environment = {**forge.environment, "GITHUB_REPOSITORY": "acme/shop", "RUNNER_TEMP": str(forge.root.parent)}
    words = ["--json", str(file), f"--path={path}", "--environment=", f"--commit={'a' * 40}", "--author", BOT]
    command = ["python3", "-I", str(ACTIONS / "report.py"), "applied", *words]
    return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


@pytest.fixture
def merged(pull_request: Forge) -> Forge:
    """A pull request with its comment, merged."""
    pull_request.run("plan")
    head = {"sha": "b" * 40, "label": "x:y"}
    merge = {"number": 7, "merged_at": "2026-11-27T12:00:00Z", "merge_commit_sha": "a" * 40, "head": head}
    pull_request.github.pulls.append(merge)
    return pull_request


def told(forge: Forge) -> list[str]:
    return [line.partition(" <!--")[0] for line in forge.github.comments[0]["body"].splitlines() if "✓" in line]


def test_applies_gather_in_the_comment_each_environment_once(merged: Forge) -> None:
    body = merged.github.comments[0]["body"]
    for part in (
        run_of("staging", "1" * 32),
        run_of("production", "2" * 32),
        run_of("staging", "3" * 32, failure_reason="not_confirmed"),
        run_of("staging", "3" * 32, failure_reason="not_confirmed"),
        run_of("production", ""),
    ):
        applied(merged, part)

    at = "at Fri 27 Nov 12:04 UTC by `jo`"
    assert told(merged) == [
        f"**✓** applied in `production` {at}, run `22222222`",
        f"**✓** applied in `staging` {at}, run `33333333`, **not confirmed**",
    ]
    assert merged.github.comments[0]["body"].endswith(body.partition("\n")[2])
    page: str = cmarkgfm.github_flavored_markdown_to_html(merged.github.comments[0]["body"])
    assert page.count("<strong>✓</strong>") == 2
    assert "<br />" in page


@pytest.mark.parametrize(
    ("problem", "says", "requests"),
    [
        ("no gh", "the command `gh` of GitHub cannot be run: No such file or directory", 0),
        ("forbidden", "GitHub refused the request. The job needs `pull-requests: write` for a comment", 1),
        ("broken", "GitHub did not do what was asked; the message of `gh` says why.", 1),
    ],
)
def test_what_cannot_be_told_fails_no_apply(merged: Forge, problem: str, says: str, requests: int) -> None:
    merged.github.asked.clear()
    merged.github.forbidden, merged.github.broken = problem == "forbidden", problem == "broken"
    if problem == "no gh":
        python = shutil.which("python3", path=merged.environment["PATH"]) or ""
        programs = merged.root.parent / "programs"
        programs.mkdir()
        (programs / "python3").symlink_to(python)
        merged.environment["PATH"] = str(programs)
    log = applied(merged, run_of("production", "1" * 32))

    assert log.startswith(f"the pull request's comment stays as it is: {says}")
    assert len(merged.github.asked) == requests


def test_applies_of_many_sets_are_bounded_and_fit(merged: Forge) -> None:
    merged.github.comments[0]["body"] += "x\n" * 32_000
    applied(merged, *(run_of("production", "1" * 32, set=f"set-{number}") for number in range(30)))
    body = merged.github.comments[0]["body"]

    assert len(body) <= 65_536
    assert body.endswith("… and more than fits here\n")
    assert [line.split("`")[1] for line in told(merged)] == [f"set-{number}" for number in range(10, 30)]


@pytest.mark.parametrize("problem", ["path", "author", "merge"])
def test_only_our_comment_of_the_merged_pull_request_is_changed(merged: Forge, problem: str) -> None:
    if problem == "author":
        merged.github.comments[0]["user"]["login"] = "mallory"
    if problem == "merge":
        merged.github.pulls[0]["merged_at"] = None
    log = applied(merged, run_of("production", "1" * 32), path="other" if problem == "path" else "")

    assert told(merged) == []
    assert log == "no pull request has a comment to bring up to date\n"


@pytest.mark.parametrize(("comment", "count"), [("changes-only", 1), ("true", 1), ("false", 0)])
def test_a_pull_request_gets_its_comment_as_the_input_says(pull_request: Forge, comment: str, count: int) -> None:
    pull_request.run("plan", comment=comment)

    assert len(pull_request.github.comments) == count


def test_a_pull_request_that_changes_a_readme_gets_no_comment(pull_request: Forge) -> None:
    pull_request.repository.git.checkout("main")
    (pull_request.root / "README.md").write_text("text\n")
    pull_request.repository.git.checkout("-b", "text")
    pull_request.commit()
    ran = pull_request.run("plan")

    assert (ran.code, pull_request.github.comments) == (0, [])


def test_a_plan_that_would_be_refused_fails_the_job_after_its_comment(forge: Forge, database: dict[str, str]) -> None:
    forge.write(BEFORE)
    forge.commit()
    forge.run("apply", flags="--settle 0", **database)
    forge.write("  other: {task: t, every: 1d}\n")
    ran = forge.run("plan", verb="plan", **database)

    assert (ran.code, ran.outputs["failure-reason"], ran.outputs["exit-code"]) == (3, "refused", "3")
    assert (ran.outputs["delete"], "too_many_stops" in ran.summary) == ("2", True), ran.summary
    assert "2 schedules would stop" in ran.log


def test_drift_keeps_one_issue(forge: Forge, database: dict[str, str]) -> None:
    forge.write(BEFORE)
    forge.commit()
    forge.run("apply", flags="--settle 0", **database)
    none = forge.run("drift", **database)
    file = next(Path(forge.environment["SHOP_DATA"]).glob("*.sqlite3"))
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE django_celery_beat_periodictask SET queue = 'other' WHERE name = 'nightly'")
    found = [forge.run("drift", **database) for _ in range(2)]
    failing = forge.run("drift", fail="true", **database)
    still = list(forge.github.issues)
    forge.run("apply", flags="--settle 0", **database)
    forge.run("drift", **database)

    assert (none.code, [ran.code for ran in found], failing.code) == (0, [0, 0], 2)
    assert "`nightly`" in found[0].summary
    assert len(still) == 1
    assert (still[0]["title"], still[0]["labels"]) == (
        "Schedules were changed behind Git's back: the database", ["schedsync-drift"],
    )  # fmt: skip
    assert forge.github.issues[0]["state"] == "closed"


def test_a_forks_pull_request_is_found_and_read_as_data(forge: Forge, tmp_path: Path) -> None:
    base, head = forge.push_from_fork(tmp_path / "acme/shop")
    fork = {"sha": head, "label": "mallory:x", "repo": {"full_name": "mallory/shop"}}
    forge.github.pulls += [
        {"number": 6, "head": fork | {"sha": base}, "base": {"sha": base}},
        {"number": 5, "head": fork | {"repo": {"full_name": "other/shop"}}, "base": {"sha": base}},
        {"number": 7, "head": fork, "base": {"sha": base}},
    ]
    output = tmp_path / "output"
    environment = {
        **forge.environment, "GITHUB_OUTPUT": str(output), "GITHUB_REPOSITORY": "acme/shop", "HEAD_SHA": head,
        "HEAD_OWNER": "mallory", "HEAD_BRANCH": "x", "HEAD_REPOSITORY": "mallory/shop", "SERVER": tmp_path.as_uri(),
    }  # fmt: skip
    done = subprocess.run(["bash", str(ACTIONS / "find-pull-request.sh")], cwd=forge.root, env=environment, check=False)
    ran = forge.run("plan", {"event": {}, "token": "x"}, base=base, head=head, pull_request="7")

    assert (done.returncode, output.read_text()) == (0, f"number=7\nbase={base}\n")
    assert (ran.code, ran.outputs["delete"]) == (0, "1")
    assert [one["issue"] for one in forge.github.comments] == [7]
    assert (forge.root / "schedules/shop.yaml").read_text().count("gone") == 1
