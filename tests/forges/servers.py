"""Small servers that speak the documented REST APIs of GitHub and GitLab for one repository, with its pull requests."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.monitors.servers import CANARY, NOT_FOUND, Reply, Server

REPOSITORY = "acme/shop"
#: A page of comments and statuses.
PAGE = 100


@dataclass
class Forge(Server):
    """A repository with pull requests by number, and what was written: statuses of commits, and comments."""

    pulls: dict[int, dict[str, Any]] = field(default_factory=dict)
    statuses: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    comments: dict[int, dict[str, Any]] = field(default_factory=dict)
    me: str | None = "reporter"

    def pull(self, number: int, commit: str, **values: Any) -> None:
        """Add a pull request that was merged as the commit, unless the values say otherwise."""
        raise NotImplementedError

    def written(self, number: int, text: str, author: str) -> int:
        """Add a comment of somebody's; returns its id."""
        raise NotImplementedError

    def texts(self, number: int) -> list[str]:
        return [each["body"] for each in self.comments.values() if each["on"] == number]

    def states(self, commit: str) -> list[tuple[str, str]]:
        """The states of a commit, the last one first, and their descriptions."""
        return [(each["state"], each["description"]) for each in self.statuses.get(commit, [])]

    def _page(self, items: list[Any], query: dict[str, list[str]]) -> list[Any]:
        number = int(query.get("page", ["1"])[0])
        return items[(number - 1) * PAGE : number * PAGE]

    def _on(self, number: int) -> list[dict[str, Any]]:
        return [each for each in self.comments.values() if each["on"] == number]


def checked(body: dict[str, Any], states: tuple[str, ...]) -> None:
    assert body["state"] in states
    assert len(body["description"]) <= 140
    assert "\n" not in body["description"]


@dataclass
class GitHubServer(Forge):
    """The paths are those of GitHub Enterprise, below `/api/v3`."""

    def pull(self, number: int, commit: str, **values: Any) -> None:
        side = {"ref": "main", "repo": {"full_name": REPOSITORY}}
        merged = {"merged_at": "2026-11-28T10:00:00Z", "merge_commit_sha": commit, "commits": [commit]}
        self.pulls[number] = {"number": number, **merged, "base": side, "head": {**side, "ref": "topic"}, **values}

    def written(self, number: int, text: str, author: str) -> int:
        kind = "User" if self.me else "Bot"
        made = {"id": len(self.comments) + 1, "on": number, "body": text, "user": {"login": author, "type": kind}}
        self.comments[made["id"]] = made
        return int(made["id"])

    def answer(self, method: str, path: str, body: dict[str, Any], headers: Any) -> Reply:
        if headers.get("Authorization") != f"Bearer {CANARY}":
            return 401, {"message": f"Bad credentials {headers.get('Authorization')}"}, {}
        parts = urlsplit(path)
        query = parse_qs(parts.query)
        if parts.path == "/api/v3/user":
            return (200, {"login": self.me}, {}) if self.me else (403, {"message": "not by integration"}, {})
        line = f"{method} {parts.path.removeprefix(f'/api/v3/repos/{REPOSITORY}')}"
        if match := re.fullmatch(r"GET /commits/(\w+)/status", line):
            latest = {each["context"]: each for each in reversed(self.statuses.get(match[1], []))}
            return 200, {"state": "pending", "statuses": list(latest.values())}, {}
        if match := re.fullmatch(r"POST /statuses/(\w+)", line):
            checked(body, ("error", "failure", "pending", "success"))
            self.statuses.setdefault(match[1], []).insert(0, body)
            return 201, body, {}
        if match := re.fullmatch(r"GET /commits/(\w+)/pulls", line):
            return 200, [pull for pull in self.pulls.values() if match[1] in pull["commits"]], {}
        if match := re.fullmatch(r"GET /issues/(\d+)/comments", line):
            return 200, self._page(self._on(int(match[1])), query), {}
        if match := re.fullmatch(r"POST /issues/(\d+)/comments", line):
            made = self.written(int(match[1]), body["body"], self.me or "app[bot]")
            return 201, self.comments[made], {}
        if match := re.fullmatch(r"PATCH /issues/comments/(\d+)", line):
            self.comments[int(match[1])]["body"] = body["body"]
            return 200, self.comments[int(match[1])], {}
        return NOT_FOUND


@dataclass
class GitLabServer(Forge):
    """The API v4; the project is `acme/shop`."""

    def pull(self, number: int, commit: str, **values: Any) -> None:
        merged = {"iid": number, "state": "merged", "merge_commit_sha": commit, "squash_commit_sha": None}
        ends = {"source_project_id": 7, "target_project_id": 7, "target_branch": "main", "commits": [commit]}
        self.pulls[number] = {**merged, **ends, **values}

    def written(self, number: int, text: str, author: str) -> int:
        made = {"id": len(self.comments) + 1, "on": number, "body": text, "author": {"id": len(author)}}
        self.comments[made["id"]] = made
        return int(made["id"])

    def answer(self, method: str, path: str, body: dict[str, Any], headers: Any) -> Reply:
        if headers.get("PRIVATE-TOKEN") != CANARY:
            return 401, {"message": f"401 Unauthorized {headers.get('PRIVATE-TOKEN')}"}, {}
        parts = urlsplit(path)
        query = parse_qs(parts.query)
        if parts.path == "/api/v4/user":
            return 200, {"id": len(self.me or "")}, {}
        line = unquote(f"{method} {parts.path.removeprefix('/api/v4/projects/')}")
        if not line.startswith(f"{method} {REPOSITORY}/"):
            return NOT_FOUND
        line = line.replace(f"{REPOSITORY}/", "", 1)
        if match := re.fullmatch(r"GET repository/commits/(\w+)/statuses", line):
            found = [each for each in self.statuses.get(match[1], []) if each["name"] in query["name"]]
            return 200, [{**each, "status": each["state"]} for each in found], {}
        if match := re.fullmatch(r"POST statuses/(\w+)", line):
            return self._status(match[1], body)
        if match := re.fullmatch(r"GET repository/commits/(\w+)/merge_requests", line):
            return 200, [pull for pull in self.pulls.values() if match[1] in pull["commits"]], {}
        if match := re.fullmatch(r"GET merge_requests/(\d+)/notes", line):
            return 200, self._page(self._on(int(match[1])), query), {}
        if match := re.fullmatch(r"POST merge_requests/(\d+)/notes", line):
            return 201, self.comments[self.written(int(match[1]), body["body"], self.me or "")], {}
        if match := re.fullmatch(r"PUT merge_requests/\d+/notes/(\d+)", line):
            self.comments[int(match[1])]["body"] = body["body"]
            return 200, self.comments[int(match[1])], {}
        return NOT_FOUND

    def _status(self, commit: str, body: dict[str, Any]) -> Reply:
        checked(body, ("pending", "running", "success", "failed", "canceled"))
        there = [each for each in self.statuses.get(commit, []) if each["name"] == body["name"]]
        if body["state"] == "pending" and there and there[0]["state"] == "pending":
            return 400, {"message": "Cannot transition status via :enqueue from :pending"}, {}
        number = 1 + sum(map(len, self.statuses.values()))
        self.statuses.setdefault(commit, []).insert(0, {**body, "id": number})
        return 201, body, {}
