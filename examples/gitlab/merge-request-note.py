"""Writes the review as a note of the merge request, and brings the note up to date; uses the standard library only.

Arguments: the review in Markdown, and the same in JSON. After an apply: `applied`, the name of the review's job,
and the result of the apply in JSON; the note of the merged merge request then says when and by whom it was applied.
SCHEDSYNC_GITLAB_TOKEN is a project access token with the scope `api` and the role Reporter; without it no note is
written. The token of the job may not write notes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

#: A note has at most this many lines about applies, the newest of them.
MOST_APPLIES = 20
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
#: A line about an apply; the digits stand for the set and its environment.
APPLIED = re.compile(r"\*\*✓\*\* .*<!-- schedsync applied ([0-9a-f]{16}) -->\\?\Z")
#: In characters. GitLab refuses a note of more than a million.
LONGEST_NOTE = 900_000


def main(markdown: str, review: str) -> int:
    """Write or update the note; a new one only if something changes."""
    if not os.environ.get("SCHEDSYNC_GITLAB_TOKEN"):
        print("no note is written: SCHEDSYNC_GITLAB_TOKEN is not set")
        return 0
    # One note for each job, so that two jobs for two sets do not replace each other's.
    marker = marker_of(os.environ["CI_JOB_NAME"])
    project, number = os.environ["CI_MERGE_REQUEST_PROJECT_ID"], os.environ["CI_MERGE_REQUEST_IID"]
    notes = f"projects/{int(project)}/merge_requests/{int(number)}/notes"
    note = existing_note(notes, marker)
    if note is None and not changes_something(review):
        print("no note is written: nothing changes")
        return 0
    body = {"body": f"{marker}\n{harmless(markdown)}"}
    if note is None:
        ask("POST", notes, body)
    else:
        ask("PUT", f"{notes}/{note['id']}", body)
    return 0


def applied(job: str, report: str) -> int:
    """Write into the note of the merged merge request that its change was applied."""
    lines = applied_lines(json.loads(Path(report).read_text(encoding="utf-8")))
    if not lines or not os.environ.get("SCHEDSYNC_GITLAB_TOKEN"):
        print("no note is changed: nothing was applied, or SCHEDSYNC_GITLAB_TOKEN is not set")
        return 0
    project, commit = int(os.environ["CI_PROJECT_ID"]), os.environ["CI_COMMIT_SHA"]
    for request in ask("GET", f"projects/{project}/repository/commits/{commit}/merge_requests"):
        notes = f"projects/{project}/merge_requests/{int(request['iid'])}/notes"
        note = existing_note(notes, marker_of(job)) if request["state"] == "merged" else None
        if note is not None:
            ask("PUT", f"{notes}/{note['id']}", {"body": with_applies(note["body"], lines)})
            return 0
    print("no merge request has a note to bring up to date")
    return 0


def applied_lines(document: dict[str, Any]) -> dict[str, str]:
    """Return a line for each set that an apply wrote, by the digits for the set and its environment."""
    lines: dict[str, str] = {}
    for part in document.get("sets", [document]):
        if part.get("run"):
            key = hashlib.sha256(f"{part['set']}{chr(0)}{part['environment']}".encode()).hexdigest()[:16]
            where = f" in {code(part['environment'])}" if part["environment"] else ""
            end = "" if part["failure_reason"] is None else f", **{part['failure_reason'].replace('_', ' ')}**"
            at = datetime.fromisoformat(part["at"]).astimezone(timezone.utc)
            day = f"{WEEKDAYS[at.weekday()]} {at.day} {MONTHS[at.month - 1]} {at:%H:%M} UTC"
            text = (
                f"set {code(part['set'])} applied{where} at {day} by {code(part['who'])}, run {code(part['run'][:8])}"
            )
            lines[key] = f"**✓** {text}{end} <!-- schedsync applied {key} -->"
    return lines


def with_applies(body: str, lines: dict[str, str]) -> str:
    """Return a note with a line for each set and environment below its marker; the newest line of each counts."""
    marker, _, rest = body.partition("\n")
    known: dict[str, str] = {}
    text = rest.splitlines()
    while text and (match := APPLIED.match(text[0])):
        known[match[1]] = text.pop(0).rstrip("\\")
    kept = {key: line for key, line in known.items() if key not in lines} | lines
    # A backslash at the end breaks the line.
    head = "\\\n".join(list(kept.values())[-MOST_APPLIES:])
    return "\n".join([marker, head, *([""] if text and text[0] else []), *text]) + "\n"


def code(text: str) -> str:
    """Return a text from outside as a code span, which nothing in it can end."""
    shown = "".join(character if character.isprintable() and character != "`" else "?" for character in str(text))
    return f"`{shown[:100].strip() or '?'}`"


def marker_of(job: str) -> str:
    """Return the hidden line that identifies the note of a job; nothing in the name can end it."""
    return f"<!-- schedsync {hashlib.sha256(job.encode()).hexdigest()[:16]} -->"


def existing_note(notes: str, marker: str) -> dict[str, Any] | None:
    """Return the note that the token's user wrote for a job, or None; ``notes`` is the path of the notes."""
    user, page = ask("GET", "user")["id"], 1
    while batch := ask("GET", f"{notes}?per_page=100&page={page}"):
        for note in batch:
            if note["author"]["id"] == user and note["body"].startswith(marker):
                return dict(note)
        page += 1
    return None


def changes_something(review: str) -> bool:
    """Say whether the review of any set has changes, refusals, new findings or approvals; true if there is none."""
    try:
        document = json.loads(Path(review).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return True
    # With `--all` there is a review for each set, or the message why there is none.
    for part in document.get("sets", [document]):
        changed = any(each["changes"] or each["refusals"] for each in part.get("environments", []))
        changed = changed or "message" in part or bool(part.get("approvals"))
        if changed or any(finding.get("new", True) for finding in part.get("findings", [])):
            return True
    return False


def harmless(markdown: str) -> str:
    """Return the Markdown; no line of it is a command to GitLab, such as `/merge`."""
    try:
        text = Path(markdown).read_text(encoding="utf-8")
    except OSError:
        return "### schedsync could not finish\n\nThe log of the job says why.\n"
    text = re.sub(r"(?m)^([ \t>]*)/", r"\1&#47;", text)
    if len(text) <= LONGEST_NOTE:
        return text
    kept = text[:LONGEST_NOTE].rpartition("\n")[0]
    missing = len(text.splitlines()) - len(kept.splitlines())
    return f"{kept}\n\n… {missing:,} more lines are in `{markdown}`, an artifact of this job.\n"


def ask(method: str, path: str, body: dict[str, str] | None = None) -> Any:
    """Ask GitLab, and return its answer; if it refuses, end the job with a message."""
    headers = {"PRIVATE-TOKEN": os.environ["SCHEDSYNC_GITLAB_TOKEN"], "Content-Type": "application/json"}
    data = json.dumps(body).encode() if body is not None else None
    request = Request(f"{os.environ['CI_API_V4_URL']}/{path}", data, headers, method=method)
    try:
        with urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())
    except HTTPError as error:
        sys.exit(
            f"GitLab refused the request ({error.code}): does the token have the scope `api` and the role Reporter?"
        )
    except URLError as error:
        sys.exit(f"GitLab does not answer: {error.reason}")


if __name__ == "__main__":
    sys.exit(applied(*sys.argv[2:]) if sys.argv[1] == "applied" else main(*sys.argv[1:]))
