"""GitHub, and GitHub Enterprise, by the REST API."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from schedsync.forges.forge import MOST_PAGES, Status, inner, number_of, objects
from schedsync.http.client import Client
from schedsync.http.errors import ServiceError

#: An installation of an app, such as the token of a workflow, may not ask who it is.
_NO_USER = 403


@dataclass
class GitHub:
    """One repository at GitHub; ``repository`` is `owner/name`."""

    client: Client
    repository: str
    name: str = "github"
    _login: str | None = field(default=None, init=False)

    @property
    def _root(self) -> str:
        return f"/repos/{quote(self.repository)}"

    def status(self, commit: str, context: str) -> tuple[str, str] | None:
        """Return the state and the description that a commit has in a context."""
        data = self.client.send("GET", f"{self._root}/commits/{commit}/status?per_page=100").data
        for found in objects(inner(data, "statuses")):
            # GitHub tells contexts apart without their case.
            if str(found.get("context")).lower() == context.lower():
                return str(found.get("state")), str(found.get("description") or "")
        return None

    def set_status(self, commit: str, status: Status, branch: str) -> None:  # noqa: ARG002
        """Give a commit a status; GitHub keeps none of a branch."""
        body = {"state": status.state, "context": status.context, "description": status.description}
        if status.url:
            body["target_url"] = status.url
        self.client.send("POST", f"{self._root}/statuses/{commit}", body, (201,))

    def merged(self, commit: str, branch: str) -> int | None:
        """Return the number of the pull request whose merge made the commit."""
        for found in objects(self.client.send("GET", f"{self._root}/commits/{commit}/pulls?per_page=100").data):
            base, head = inner(found, "base", "repo", "full_name"), inner(found, "head", "repo", "full_name")
            is_here = str(base).lower() == self.repository.lower() and base == head
            is_merged = bool(found.get("merged_at")) and found.get("merge_commit_sha") == commit
            if is_here and is_merged and branch in ("", inner(found, "base", "ref")):
                return number_of(found, "number")
        return None

    def comment(self, number: int, marker: str, text: str, *, makes: bool = True) -> None:
        """Bring our comment on a pull request to this text."""
        body = {"body": f"{marker}\n{text}"}
        found = self._comment(number, marker)
        if found is None:
            if makes:
                self.client.send("POST", f"{self._root}/issues/{number}/comments", body, (201,))
        elif found.get("body") != body["body"]:
            self.client.send("PATCH", f"{self._root}/issues/comments/{number_of(found, 'id')}", body)

    def _comment(self, number: int, marker: str) -> dict[str, Any] | None:
        """Return our comment: others can write the marker too, and their comment must not be overwritten."""
        for page in range(1, MOST_PAGES + 1):
            found = self.client.send("GET", f"{self._root}/issues/{number}/comments?per_page=100&page={page}").data
            comments = objects(found)
            for comment in comments:
                if str(comment.get("body", "")).startswith(marker) and self._is_ours(comment):
                    return comment
            if len(comments) < 100:
                return None
        raise ServiceError("a pull request has too many comments to look for ours")

    def _is_ours(self, comment: dict[str, Any]) -> bool:
        if self._login is None:
            answer = self.client.send("GET", "/user", expected=(200, _NO_USER))
            self._login = str(inner(answer.data, "login")) if answer.status != _NO_USER else ""
        if not self._login:
            return bool(inner(comment, "user", "type") == "Bot")
        return bool(inner(comment, "user", "login") == self._login)
