"""Writes the outputs of the actions, the job's summary, a comment and an issue, and gets the plan that a review kept.

After an apply it writes into the comment of the merged pull request where and when the change was applied.

It uses the standard library only.

It calls GitHub through `gh`, which GitHub's runners have. The output of schedsync is data here: it goes into files and
bodies, never into a command line or a workflow command.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import secrets
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import datetime, timezone
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

KINDS = ("create", "update", "delete", "rename", "adopt", "release")
#: In bytes. GitHub accepts one MiB for each step and drops a longer summary completely.
LONGEST_SUMMARY = 1_000_000
#: A report that does not name everything contains one of these.
CUT = ("left out here, because not everything fits", "`--format summary` and `--format json` list all of it")
#: In bytes. `apply --plan` accepts no larger file.
LARGEST_PLAN = 256 * 2**20
#: The reason by the exit code, where the JSON has none: a plan that is refused is still a plan.
REASONS = {"0": "", "2": "", "3": "refused"}
#: What `gh` says where a right is missing; GitHub does not tell what may not be seen from what is not there.
DENIED = ("HTTP 401", "HTTP 403", "HTTP 404")
#: In characters. GitHub refuses a longer comment.
LONGEST_COMMENT = 65_536
#: A comment has at most this many lines about applies, the newest of them.
MOST_APPLIES = 20
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
#: A line about an apply; the digits stand for the set and its environment. A line that began with them would be HTML.
APPLIED = re.compile(r"\*\*✓\*\* .*<!-- schedsync applied ([0-9a-f]{16}) -->\\?\Z")


def main() -> int:
    """Run the part that the first argument names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parts = parser.add_subparsers(dest="part", required=True)
    for name, options in (
        ("outputs", ("json", "exit-code", "verb", "path", "environment")),
        ("summary", ("body", "json")),
        ("comment", ("body", "json", "key", "number", "author")),
        ("issue", ("body", "json", "key", "title", "label", "open")),
        ("reviewed", ("path", "environment", "commit")),
        ("applied", ("json", "path", "environment", "commit", "author")),
    ):
        part = parts.add_parser(name)
        for option in options:
            part.add_argument(f"--{option}", required=True)
    given = vars(parser.parse_args())
    chosen = {
        "outputs": outputs, "summary": summary, "comment": comment, "issue": issue, "reviewed": reviewed,
        "applied": applied,
    }  # fmt: skip
    return chosen[given.pop("part")](**given)


def outputs(json: str, exit_code: str, verb: str, path: str, environment: str) -> int:
    """Write the counts, the checksum and the reason of a failure as outputs of the step."""
    said = read(json)
    sets = said.get("sets", [said])
    values = {
        kind: sum(highest(part, lambda counts, kind=kind: counts.get(kind, 0)) for part in sets) for kind in KINDS
    }
    findings = [finding for part in sets for finding in part.get("findings", [])]
    reasons = [part["failure_reason"] for part in sets if part.get("failure_reason")]
    write_outputs(
        {kind: str(count) for kind, count in values.items()}
        | {
            "changes": str(sum(highest(part, all_kinds) for part in sets)),
            "held": str(sum(len(part.get("held", [])) for part in sets)),
            "errors": str(sum(finding["severity"] == "error" for finding in findings)),
            "findings": str(len(findings)),
            "checksum": said.get("checksum") or "",
            "failure-reason": next(iter(reasons), None) or REASONS.get(exit_code, "failed"),
            "exit-code": exit_code,
            "artifact": artifact_name(verb, path, environment),
        }
    )
    return 0


def all_kinds(counts: dict) -> int:
    """Return the number of changes of every kind."""
    return sum(counts.get(kind, 0) for kind in KINDS)


def highest(said: dict, count: Callable[[dict], int]) -> int:
    """Return the highest count of the environments of one set."""
    summaries = (part.get("summary", {}) for part in said.get("environments", [said]))
    return max(map(count, summaries), default=0)


def artifact_name(verb: str, path: str, environment: str) -> str:
    """Return a name for an artifact that no other verb, path or environment has.

    GitHub refuses some characters in it. The digits keep two paths apart that differ only in those.
    """
    parts = (verb, path.rstrip("/"), environment)
    words = re.sub(r"[^A-Za-z0-9_.]+", "-", "-".join(filter(None, parts))).strip("-.")
    return f"schedules-{words[:80]}-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:8]}"


def read(path: str) -> dict:
    """Return the JSON that schedsync wrote, or an empty dictionary if it wrote none."""
    try:
        said = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def write_outputs(values: dict[str, str]) -> None:
    """Append to GITHUB_OUTPUT; each value is between random delimiters, so that no value can end itself."""
    lines: list[str] = []
    for name, value in values.items():
        mark = f"schedsync-{secrets.token_hex(16)}"
        lines += [f"{name}<<{mark}", value, mark]
    with Path(os.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def text(body: str, json: str) -> str:
    """Return the Markdown that schedsync wrote, or the reason why it wrote none."""
    try:
        return Path(body).read_text(encoding="utf-8")
    except OSError:
        said = read(json)
        problems = [said.get("message") or "schedsync failed, see the log", said.get("hint")]
        for finding in said.get("findings", [])[:50]:
            place = finding.get("location") or {}
            problems.append(f"{place.get('path', '')}:{place.get('line', '')}: {finding['code']} {finding['message']}")
        problems += [f"{refusal['message']}; hint: {refusal['override']}" for refusal in said.get("refusals", [])[:50]]
        lines = "\n".join(f"    {line}" for one in problems if one for line in str(one).splitlines())
        return f"### schedsync could not finish\n\n{lines}\n"


def summary(body: str, json: str) -> int:
    """Append the report to the job's summary."""
    said = text(body, json).encode()
    if len(said) > LONGEST_SUMMARY:
        said = said[:LONGEST_SUMMARY] + "\n\n… and more than fits here.\n".encode()
    with Path(os.environ["GITHUB_STEP_SUMMARY"]).open("ab") as file:
        file.write(said)
    return 0


def comment(body: str, json: str, key: str, number: str, author: str) -> int:
    """Write a comment on a pull request, or update the existing one; a new one only if something changes."""
    if not number.isdecimal():
        print("no pull request to comment on")
        return 0
    marker = marker_of(key)
    file = marked(body, json, marker)
    repository = os.environ["GITHUB_REPOSITORY"]
    query = ".[] | select(.user.login == env.AUTHOR and (.body | startswith(env.MARKER))) | .id"
    found = gh(
        f"repos/{repository}/issues/{number}/comments?per_page=100", "--paginate", "--jq", query,
        AUTHOR=author, MARKER=marker,
    ).split()  # fmt: skip
    if found:
        gh(f"repos/{repository}/issues/comments/{found[0]}", "-X", "PATCH", "-F", f"body=@{file}", "--silent")
    elif changes_something(json):
        gh(f"repos/{repository}/issues/{number}/comments", "-X", "POST", "-F", f"body=@{file}", "--silent")
    else:
        print("no comment is written: nothing changes")
    return 0


def changes_something(json: str) -> bool:
    """Say whether any set has changes, refusals, new findings or approvals; true if no review and no plan is there."""
    said = read(json)
    # A review has environments, a plan is of one; a set that could not be handled has a message.
    for part in said.get("sets", [said] if said else [{"message": "schedsync failed"}]):
        changed = any(each.get("changes") or each.get("refusals") for each in part.get("environments", [part]))
        # An approval is needed also for changes that change no row, such as another owner.
        changed = changed or "message" in part or bool(part.get("approvals"))
        if changed or any(finding.get("new", True) for finding in part.get("findings", [])):
            return True
    return False


def issue(body: str, json: str, key: str, title: str, label: str, open: str) -> int:
    """Open or update one issue if ``open`` is "true"; otherwise close it."""
    marker = marker_of(key)
    repository = os.environ["GITHUB_REPOSITORY"]
    query = '.[] | select(.pull_request == null and (.body // "" | startswith(env.MARKER))) | .number'
    found = gh(
        f"repos/{repository}/issues?state=open&labels={label}&per_page=100", "--paginate", "--jq", query, MARKER=marker
    ).split()
    if open == "true":
        file = marked(body, json, marker)
        if found:
            gh(f"repos/{repository}/issues/{found[0]}", "-X", "PATCH", "-F", f"body=@{file}", "--silent")
        else:
            words = ("-f", f"title={title.strip()}", "-F", f"body=@{file}", "-f", f"labels[]={label}")
            gh(f"repos/{repository}/issues", "-X", "POST", *words, "--silent")
    for number in found if open != "true" else ():
        words = ("-f", "state=closed", "-f", "state_reason=completed")
        gh(f"repos/{repository}/issues/{number}", "-X", "PATCH", *words, "--silent")
    return 0


def marker_of(key: str) -> str:
    """Return the hidden line that identifies our comment or issue; nothing in the key can end it."""
    return f"<!-- schedsync {hashlib.sha256(key.encode()).hexdigest()[:16]} -->"


def marked(body: str, json: str, marker: str) -> str:
    """Write the marker and the body to a file, and return its path."""
    file = Path(os.environ["RUNNER_TEMP"]) / f"schedsync-{secrets.token_hex(8)}.md"
    said = text(body, json)
    file.write_text(f"{marker}\n{said}{link_to_run() if any(words in said for words in CUT) else ''}", encoding="utf-8")
    return str(file)


def link_to_run() -> str:
    """Return a link to this run, whose summary holds what a comment has no room for; empty outside of a run."""
    server, run = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_RUN_ID")
    return (
        f"\n[The job's summary]({server}/{os.environ['GITHUB_REPOSITORY']}/actions/runs/{run})\n"
        if server and run
        else ""
    )


def reviewed(path: str, environment: str, commit: str) -> int:
    """Get the plan that the review of the merged pull request kept, and write its path as an output."""
    repository = os.environ["GITHUB_REPOSITORY"]
    query = ".[] | select(.merged_at != null and .merge_commit_sha == env.COMMIT)"
    query += ' | "\\(.number) \\(.head.sha) \\(.head.repo.full_name == env.GITHUB_REPOSITORY)"'
    merged = gh(f"repos/{repository}/commits/{commit}/pulls?per_page=100", "--jq", query, COMMIT=commit).split()
    if not merged:
        sys.exit(f"no reviewed plan: {commit[:12]} is not the merge of a pull request")
    number, head, is_ours = merged[:3]
    if is_ours != "true":
        sys.exit(f"no reviewed plan: pull request {number} came from a fork, whose run can write any file")
    name = artifact_name("plan", path, environment)
    artifact = newest_artifact(name, head)
    if artifact is None:
        sys.exit(f"no reviewed plan: the review of pull request {number} at {head[:12]} kept no artifact `{name}`")
    file = Path(os.environ["RUNNER_TEMP"]) / f"{name}.json"
    file.write_bytes(plan_in(gh_bytes(f"repos/{repository}/actions/artifacts/{artifact}/zip")))
    print(f"got the plan that the review of pull request {number} kept")
    write_outputs({"plan": str(file)})
    return 0


def applied(json: str, path: str, environment: str, commit: str, author: str) -> int:
    """Write into the comment of the merged pull request that its change was applied; never fails the job."""
    try:
        return tell_of_applies(json, path, environment, commit, author)
    except (SystemExit, OSError, ValueError) as error:
        # What was applied is applied.
        print(f"the pull request's comment stays as it is: {error}")
        return 0


def tell_of_applies(json: str, path: str, environment: str, commit: str, author: str) -> int:
    """Write into the comment of the merged pull request; ends the step where GitHub refuses."""
    lines = applied_lines(json)
    if not lines:
        print("the pull request's comment stays as it is: nothing was applied")
        return 0
    repository = os.environ["GITHUB_REPOSITORY"]
    query = ".[] | select(.merged_at != null and .merge_commit_sha == env.COMMIT) | .number"
    numbers = gh(f"repos/{repository}/commits/{commit}/pulls?per_page=100", "--jq", query, COMMIT=commit).split()
    for number in numbers[:1]:
        # A review of one environment has a comment of its own; another comment is about all of them.
        keys = [f"{verb} {path} {name}" for verb in ("review", "plan") for name in dict.fromkeys((environment, ""))]
        query = ".[] | select(.user.login == env.AUTHOR) | {id, body}"
        words = (f"repos/{repository}/issues/{number}/comments?per_page=100", "--paginate", "--jq", query)
        comments = [parsed(line) for line in gh(*words, AUTHOR=author).splitlines()]
        ours = [comment for key in keys for comment in comments if comment["body"].startswith(marker_of(key))]
        if ours:
            file = Path(os.environ["RUNNER_TEMP"]) / f"schedsync-{secrets.token_hex(8)}.md"
            file.write_text(with_applies(ours[0]["body"], lines), encoding="utf-8")
            address = f"repos/{repository}/issues/comments/{ours[0]['id']}"
            gh(address, "-X", "PATCH", "-F", f"body=@{file}", "--silent")
            return 0
    print("no pull request has a comment to bring up to date")
    return 0


def parsed(line: str) -> dict:
    """Return one JSON value of a line."""
    return json.loads(line)


def applied_lines(json: str) -> dict[str, str]:
    """Return a line for each set that an apply wrote, by the digits for the set and its environment."""
    said = read(json)
    lines: dict[str, str] = {}
    sets = said.get("sets", [said])
    for part in sets:
        if not part.get("run"):
            continue
        name, environment = str(part.get("set")), part.get("environment")
        key = hashlib.sha256(f"{name}{chr(0)}{environment}".encode()).hexdigest()[:16]
        words = [f"set {code(name)}"] if len(sets) > 1 else []
        words += ["applied"]
        words += [f"in {code(environment)}"] if environment else []
        words += [f"at {time_text(part['at'])}"] if part.get("at") else []
        words += [f"by {code(part['who'])}"] if part.get("who") else []
        reason = part.get("failure_reason")
        end = {"not_confirmed": ", **not confirmed**", "not_loaded": ", **not loaded by Beat**"}.get(reason, "")
        run = code(part["run"][:8])
        lines[key] = f"**✓** {' '.join(words)}, run {run}{end} <!-- schedsync applied {key} -->"
    return lines


def with_applies(body: str, lines: dict[str, str]) -> str:
    """Return a comment with a line for each set and environment below its marker; the newest line of each counts."""
    marker, _, rest = body.partition("\n")
    known: dict[str, str] = {}
    text = rest.splitlines()
    while text and (match := APPLIED.match(text[0])):
        known[match[1]] = text.pop(0).rstrip("\\")
    kept = {key: line for key, line in known.items() if key not in lines} | lines
    # A backslash at the end breaks the line.
    head = [marker, "\\\n".join(list(kept.values())[-MOST_APPLIES:]), *([""] if text and text[0] else [])]
    longest = LONGEST_COMMENT - len("\n".join(head)) - 100
    whole = "\n".join(text)
    if len(whole) > longest:
        whole = whole[:longest].rpartition("\n")[0] + "\n\n… and more than fits here"
    return "\n".join([*head, whole]) + "\n"


def code(text: str) -> str:
    """Return a text from outside as a code span, which nothing in it can end."""
    shown = "".join(character if character.isprintable() and character != "`" else "?" for character in str(text))
    return f"`{shown[:100].strip() or '?'}`"


def time_text(instant: str) -> str:
    """Write an instant as in "Fri 27 Nov 12:04 UTC"."""
    at = datetime.fromisoformat(instant).astimezone(timezone.utc)
    return f"{WEEKDAYS[at.weekday()]} {at.day} {MONTHS[at.month - 1]} {at:%H:%M} UTC"


def newest_artifact(name: str, head: str) -> str | None:
    """Return the id of the newest artifact of a name that a run of this repository made for a commit."""
    query = (
        ".artifacts[] | select((.expired | not) and .name == env.NAME and .workflow_run.head_sha == env.HEAD"
        " and .workflow_run.head_repository_id == .workflow_run.repository_id) | .id"
    )
    words = (f"repos/{os.environ['GITHUB_REPOSITORY']}/actions/artifacts?per_page=100&name={name}", "--paginate")
    return max(gh(*words, "--jq", query, NAME=name, HEAD=head).split(), key=int, default=None)


def plan_in(data: bytes) -> bytes:
    """Return the plan in an artifact, which is a zip file; ends the step if there is none, or if it is too large."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive, archive.open("plan.json") as file:
            plan = file.read(LARGEST_PLAN + 1)
    except (zipfile.BadZipFile, KeyError) as error:
        sys.exit(f"no reviewed plan: the artifact cannot be read: {error}")
    return plan if len(plan) <= LARGEST_PLAN else sys.exit("no reviewed plan: the artifact is too large")


def gh(*words: str, **environment: str) -> str:
    """Call GitHub and return its answer; if GitHub refuses, end the step with a message."""
    return gh_bytes(*words, **environment).decode()


def gh_bytes(*words: str, **environment: str) -> bytes:
    """Call GitHub and return its answer as bytes; if GitHub refuses, end the step with a message."""
    # Words from outside follow `-F` or `-f`, or are part of a path that we build.
    try:
        done = subprocess.run(
            ["gh", "api", *words], env=os.environ | host() | environment, capture_output=True, check=False
        )
    except OSError as error:
        sys.exit(f"the command `gh` of GitHub cannot be run: {error.strerror}")
    said = done.stderr.decode(errors="replace")
    sys.stderr.write(said)
    if done.returncode and any(status in said for status in DENIED):
        sys.exit(
            "GitHub refused the request. The job needs `pull-requests: write` for a comment, `issues: write` for drift,"
            " and `actions: read` and `pull-requests: read` for a reviewed plan."
        )
    if done.returncode:
        sys.exit("GitHub did not do what was asked; the message of `gh` says why.")
    return done.stdout


def host() -> dict[str, str]:
    """Return the variables that make `gh` ask another server than github.com, such as GitHub Enterprise Server."""
    name = urlsplit(os.environ.get("GITHUB_SERVER_URL", "")).netloc
    if name in ("", "github.com"):
        return {}
    return {"GH_HOST": name, "GH_ENTERPRISE_TOKEN": os.environ.get("GH_TOKEN", "")}


if __name__ == "__main__":
    sys.exit(main())
