"""The jobs for GitLab, run in a repository that is not ours, against a stand-in for GitLab's HTTP interface."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from schedsync import __version__
from tests.actions.forge import AFTER, Forge
from tests.actions.runner import ROOT, without_pip

EXAMPLE = ROOT / "examples/gitlab"
JOBS = yaml.safe_load((EXAMPLE / "schedsync.gitlab-ci.yml").read_text())
US, PAGE = 5, 2


@dataclass
class GitLab:
    """The notes of merge request 3 of project 7, and its address; a token other than `good` is refused."""

    notes: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    def answer(self, method: str, target: str, token: str | None, body: dict[str, Any]) -> tuple[int, Any]:
        path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
        if token != "good":
            return 401, {"message": "401 Unauthorized"}
        if path == "/api/v4/user":
            return 200, {"id": US}
        if path in ("/api/v4/projects/7/merge_requests/3/notes", "/api/v4/projects/8/merge_requests/3/notes"):
            if method == "GET":
                page = int(query["page"][0])
                return 200, self.notes[(page - 1) * PAGE : page * PAGE]
            self.notes.append({"id": 100 + len(self.notes), "author": {"id": US}, **body})
            return 201, self.notes[-1]
        if match := re.fullmatch(r"/api/v4/projects/8/repository/commits/([0-9a-f]{40})/merge_requests", path):
            return 200, [{"iid": 4, "state": "opened"}, {"iid": 3, "state": "merged"}]
        if match := re.fullmatch(r"/api/v4/projects/[78]/merge_requests/3/notes/(\d+)", path):
            note = next(note for note in self.notes if note["id"] == int(match[1]))
            note.update(body)
            return 200, note
        return 404, {"message": "404 Not Found"}


@pytest.fixture
def gitlab() -> Iterator[GitLab]:
    lab = GitLab()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def reply(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            status, answer = lab.answer(self.command, self.path, self.headers["PRIVATE-TOKEN"], body)
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = reply

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        lab.url = f"http://127.0.0.1:{server.server_port}/api/v4"
        yield lab
        server.shutdown()


def variables(gitlab: GitLab, job: str) -> dict[str, str]:
    return {
        "CI_API_V4_URL": gitlab.url, "CI_JOB_NAME": job, "CI_MERGE_REQUEST_PROJECT_ID": "7", "CI_PROJECT_ID": "8",
        "CI_MERGE_REQUEST_IID": "3", "SCHEDSYNC_GITLAB_TOKEN": "good",
        "CI_COMMIT_SHA": "a" * 40,
    }  # fmt: skip


def run(forge: Forge, gitlab: GitLab, job: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the scripts of a job as GitLab's runner does: in one shell, which ends at the first failure."""
    (forge.root / ".gitlab").mkdir(exist_ok=True)
    shutil.copy(EXAMPLE / "merge-request-note.py", forge.root / ".gitlab")
    directory = forge.root.parent / f"runner-{len(list(forge.root.parent.iterdir()))}"
    directory.mkdir()
    base = JOBS[".schedsync"]
    environment = without_pip(forge.environment, directory, directory / "installed")
    script = [*JOBS[job].get("before_script", base["before_script"]), *JOBS[job]["script"]]
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", "\n".join(script)],
        cwd=forge.root, env={**environment, **base["variables"], **variables(gitlab, job), **more},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert (directory / "installed").read_text().startswith("-m pip install --quiet ")
    return done


def note(forge: Forge, gitlab: GitLab, job: str, review: str = "none.json") -> None:
    """Write `review.md` as a note."""
    command = ["python3", "-I", str(EXAMPLE / "merge-request-note.py"), "review.md", review]
    subprocess.run(command, cwd=forge.root, check=True, env={**forge.environment, **variables(gitlab, job)})


def test_a_review_writes_one_note_and_a_code_quality_report(pull_request: Forge, gitlab: GitLab) -> None:
    gitlab.notes += [{"id": number, "author": {"id": 1}, "body": "<!-- schedsync"} for number in range(3)]
    first = run(pull_request, gitlab, "schedules-review")
    pull_request.write('  bad: {task: t, crontab: "0 2 1 * mon"}\n', "schedules/bad.yaml")
    second = run(pull_request, gitlab, "schedules-review")
    ours = [each for each in gitlab.notes if each["author"]["id"] == US]
    report = json.loads((pull_request.root / "gl-code-quality-report.json").read_text())

    assert (first.returncode, second.returncode, len(ours)) == (0, 0, 1), first.stdout + second.stdout
    assert "1 to create" in ours[0]["body"]
    assert [each["location"]["path"] for each in report if each["check_name"] == "SS203"] == ["schedules/bad.yaml"]
    assert all((pull_request.root / name).exists() for name in JOBS["schedules-review"]["artifacts"]["paths"])


def test_a_note_names_all_schedules(pull_request: Forge, gitlab: GitLab) -> None:
    tenants = ", ".join(f"tenant-{number}" for number in range(300))
    pull_request.write(AFTER + f"  sync-{{t}}: {{task: t, every: 1d, for_each: {{t: [{tenants}]}}}}\n")
    run(pull_request, gitlab, "schedules-review")
    body = gitlab.notes[0]["body"]

    assert "job's summary" not in body
    assert [number for number in range(300) if f"`sync-tenant-{number}`" not in body] == []


def test_errors_fail_the_job_after_the_note_is_written(pull_request: Forge, gitlab: GitLab) -> None:
    pull_request.write('  bad: {task: t, crontab: "61 * * * *"}\n', "schedules/bad.yaml")
    done = run(pull_request, gitlab, "schedules-review")

    assert done.returncode == 1
    assert "SS131" in gitlab.notes[0]["body"]


def test_a_first_note_needs_a_change_and_a_later_run_keeps_it_up_to_date(pull_request: Forge, gitlab: GitLab) -> None:
    file = pull_request.root / "schedules/shop.yaml"
    changed = file.read_text()
    pull_request.repository.git.checkout("main", "--", "schedules")
    quiet = run(pull_request, gitlab, "schedules-review")
    before = list(gitlab.notes)
    file.write_text(changed)
    run(pull_request, gitlab, "schedules-review")
    pull_request.repository.git.checkout("main", "--", "schedules")
    run(pull_request, gitlab, "schedules-review")

    assert ("nothing changes" in quiet.stdout, before, len(gitlab.notes)) == (True, [], 1)
    assert "1 to update" not in gitlab.notes[0]["body"]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"environments": [{"changes": [], "refusals": []}], "findings": []}, False),
        ({"environments": [{"changes": [], "refusals": []}], "findings": [{"new": False}]}, False),
        ({"environments": [{"changes": [], "refusals": []}], "findings": [{"new": True}]}, True),
        ({"environments": [{"changes": [{"kind": "delete"}], "refusals": []}], "findings": []}, True),
        ({"environments": [{"changes": [], "refusals": [{}]}], "findings": []}, True),
        ({"environments": [{"changes": [], "refusals": []}], "findings": [], "approvals": [{}]}, True),
        ({"failure_reason": "invalid_configuration", "message": "unknown key", "hint": None}, True),
    ],
)
@pytest.mark.parametrize("all_sets", [False, True])
def test_a_note_needs_a_change_in_any_set(
    forge: Forge, gitlab: GitLab, part: dict[str, Any], expected: bool, all_sets: bool
) -> None:
    quiet = {"environments": [{"changes": [], "refusals": []}], "findings": []}
    (forge.root / "review.md").write_text("text\n")
    (forge.root / "review.json").write_text(json.dumps({"sets": [quiet, part]} if all_sets else part))
    note(forge, gitlab, "one", "review.json")

    assert len(gitlab.notes) == expected


@pytest.mark.parametrize(
    ("token", "code", "message"),
    [("", 0, "SCHEDSYNC_GITLAB_TOKEN is not set"), ("bad", 1, "GitLab refused the request (401)")],
)
def test_a_missing_token_is_named(pull_request: Forge, gitlab: GitLab, token: str, code: int, message: str) -> None:
    done = run(pull_request, gitlab, "schedules-review", SCHEDSYNC_GITLAB_TOKEN=token)

    assert (done.returncode, gitlab.notes) == (code, [])
    assert message in done.stdout


def test_no_line_of_a_note_is_a_command_and_two_jobs_have_two_notes(forge: Forge, gitlab: GitLab) -> None:
    (forge.root / "review.md").write_text("/merge\n  /approve\n> /close\na/b\n")
    for name in ("one", "two", "one"):
        note(forge, gitlab, name)

    assert len(gitlab.notes) == 2
    assert gitlab.notes[0]["body"].splitlines()[1:] == ["&#47;merge", "  &#47;approve", "> &#47;close", "a/b"]


def test_a_note_that_is_too_long_is_cut_at_a_line_and_says_how_much_is_missing(forge: Forge, gitlab: GitLab) -> None:
    (forge.root / "review.md").write_text("\n".join(["/" + "x" * 94] * 15_000) + "\n")
    note(forge, gitlab, "one")
    _, *lines, empty, last = gitlab.notes[0]["body"].rstrip().splitlines()

    assert len(gitlab.notes[0]["body"]) < 1_000_000
    assert ({len(line) for line in lines}, empty) == ({99}, "")
    assert last == f"… {15_000 - len(lines):,} more lines are in `review.md`, an artifact of this job."


def test_validate_apply_and_drift_run(forge: Forge, gitlab: GitLab, database: dict[str, str]) -> None:
    forge.write("  nightly: {task: shop.tasks.nightly, every: 1d}\n")
    (forge.root / "requirements.txt").write_text("schedsync\n")
    forge.commit()
    done = {
        job: run(forge, gitlab, job, DJANGO_SETTINGS_MODULE=database["settings"])
        for job in ("schedules-validate", "schedules-apply", "schedules-drift")
    }

    assert set(done) == {job for job in JOBS if not job.startswith(".")} - {"stages", "schedules-review"}
    assert [each.returncode for each in done.values()] == [0, 0, 0], done
    assert "1 created" in done["schedules-apply"].stdout
    assert (forge.root / "drift.md").exists()


def test_after_an_apply_the_note_says_where_and_by_whom(
    pull_request: Forge, gitlab: GitLab, database: dict[str, str]
) -> None:
    run(pull_request, gitlab, "schedules-review")
    before = gitlab.notes[0]["body"].splitlines()
    (pull_request.root / "requirements.txt").write_text("schedsync\n")
    pull_request.commit()
    more = {"DJANGO_SETTINGS_MODULE": database["settings"], "GITLAB_USER_LOGIN": "maria`/x"}
    done = [run(pull_request, gitlab, "schedules-apply", **more) for _ in range(2)]
    marker, line, empty, *rest = gitlab.notes[0]["body"].splitlines()

    assert [each.returncode for each in done] == [0, 0], done
    assert "1 created" in done[0].stdout
    assert ([marker, *rest], empty, len(gitlab.notes)) == (before, "", 1)
    day, run_id = r"\w{3} \d+ \w{3} \d\d:\d\d UTC", r"`[0-9a-f]{8}` <!-- .* -->"
    assert re.fullmatch(rf"\*\*✓\*\* set `default` applied at {day} by `maria\?/x`, run {run_id}", line)


def test_the_pinned_version_is_this_release() -> None:
    assert JOBS[".schedsync"]["variables"]["SCHEDSYNC_VERSION"] == __version__
    assert JOBS[".schedsync"]["before_script"] == ['python -m pip install --quiet "schedsync==$SCHEDSYNC_VERSION"']
