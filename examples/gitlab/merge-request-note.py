"""Writes the review as a note of the merge request, and brings the note up to date; uses the standard library only.

Arguments: the review in Markdown, and the same in JSON. SCHEDSYNC_GITLAB_TOKEN is a project access token with the scope
`api` and the role Reporter; without it no note is written. The token of the job may not write notes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

#: In characters. GitLab refuses a note of more than a million.
LONGEST_NOTE = 900_000


def main(markdown: str, review: str) -> int:
    """Write or update the note; a new one only if something changes."""
    if not os.environ.get("SCHEDSYNC_GITLAB_TOKEN"):
        print("no note is written: SCHEDSYNC_GITLAB_TOKEN is not set")
        return 0
    # One note for each job, so that two jobs for two sets do not replace each other's.
    marker = f"<!-- schedsync {hashlib.sha256(os.environ['CI_JOB_NAME'].encode()).hexdigest()[:16]} -->"
    note = existing_note(marker)
    if note is None and not changes_something(review):
        print("no note is written: nothing changes")
        return 0
    body = {"body": f"{marker}\n{harmless(markdown)}"}
    if note is None:
        ask("POST", notes(), body)
    else:
        ask("PUT", f"{notes()}/{note}", body)
    return 0


def notes() -> str:
    """Return the path of the merge request's notes; of a fork's merge request, in the project that it will change."""
    project, number = os.environ["CI_MERGE_REQUEST_PROJECT_ID"], os.environ["CI_MERGE_REQUEST_IID"]
    return f"projects/{int(project)}/merge_requests/{int(number)}/notes"


def existing_note(marker: str) -> int | None:
    """Return the id of the note that the token's user wrote for this job, or None."""
    user, page = ask("GET", "user")["id"], 1
    while batch := ask("GET", f"{notes()}?per_page=100&page={page}"):
        for note in batch:
            if note["author"]["id"] == user and note["body"].startswith(marker):
                return int(note["id"])
        page += 1
    return None


def changes_something(review: str) -> bool:
    """Say whether the review has changes, refusals or new findings, in any set; true if there is no review of one."""
    try:
        document = json.loads(Path(review).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return True
    # With `--all` there is a review for each set, or the message why there is none.
    for part in document.get("sets", [document]):
        changed = any(each["changes"] or each["refusals"] for each in part.get("environments", []))
        if changed or "message" in part or any(finding.get("new", True) for finding in part.get("findings", [])):
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
    sys.exit(main(*sys.argv[1:]))
