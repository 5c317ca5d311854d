"""GitLab, hosted or one's own, by the REST API v4."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from schedsync.forges.forge import MOST_PAGES, Status, inner, number_of, objects
from schedsync.http.client import Client
from schedsync.http.errors import ServiceError

_STATES = {"pending": "pending", "success": "success", "failure": "failed"}
_NAMES = {word: state for state, word in _STATES.items()} | {"running": "pending", "canceled": "failure"}


@dataclass
class GitLab:
    """One project at GitLab; ``project`` is its path with all groups."""

    client: Client
    project: str
    name: str = "gitlab"
    _user: int | None = field(default=None, init=False)

    @property
    def _root(self) -> str:
        return f"/projects/{quote(self.project, safe='')}"

    def status(self, commit: str, context: str) -> tuple[str, str] | None:
        """Return the state and the description that a commit has in a context."""
        query = urlencode({"name": context, "per_page": 100, "order_by": "id", "sort": "desc"})
        found = objects(self.client.send("GET", f"{self._root}/repository/commits/{commit}/statuses?{query}").data)
        same = [each for each in found if each.get("name") == context]
        if not same:
            return None
        # Servers that are older than the parameters answer in another order.
        last = max(same, key=lambda each: number_of(each, "id"))
        return _NAMES.get(str(last.get("status")), "failure"), str(last.get("description") or "")

    def set_status(self, commit: str, status: Status, branch: str) -> None:
        """Give a commit a status. GitLab refuses `pending` where it is pending already, also with other words."""
        there = self.status(commit, status.context)
        if status.state == "pending" and there is not None and there[0] == "pending":
            return
        body = {"state": _STATES[status.state], "name": status.context, "description": status.description}
        body |= {"target_url": status.url} if status.url else {}
        body |= {"ref": branch} if branch else {}
        self.client.send("POST", f"{self._root}/statuses/{commit}", body, (201,))

    def merged(self, commit: str, branch: str) -> int | None:
        """Return the number of the merge request whose merge made the commit."""
        path = f"{self._root}/repository/commits/{commit}/merge_requests?per_page=100"
        for found in objects(self.client.send("GET", path).data):
            ends = [found.get(key) for key in ("merge_commit_sha", "squash_commit_sha", "sha")]
            is_here = found.get("source_project_id") == found.get("target_project_id")
            is_merged = found.get("state") == "merged" and commit in ends
            if is_here and is_merged and branch in ("", found.get("target_branch")):
                return number_of(found, "iid")
        return None

    def comment(self, number: int, marker: str, text: str, *, makes: bool = True) -> None:
        """Bring our note on a merge request to this text."""
        notes, body = f"{self._root}/merge_requests/{number}/notes", {"body": f"{marker}\n{text}"}
        found = self._note(notes, marker)
        if found is None:
            if makes:
                self.client.send("POST", notes, body, (201,))
        elif found.get("body") != body["body"]:
            self.client.send("PUT", f"{notes}/{number_of(found, 'id')}", body)

    def _note(self, notes: str, marker: str) -> dict[str, Any] | None:
        """Return our note: others can write the marker too, and their note must not be overwritten."""
        for page in range(1, MOST_PAGES + 1):
            query = f"?per_page=100&page={page}&sort=asc&order_by=created_at"
            found = objects(self.client.send("GET", notes + query).data)
            for note in found:
                if str(note.get("body", "")).startswith(marker) and self._is_ours(note):
                    return note
            if len(found) < 100:
                return None
        raise ServiceError("a merge request has too many notes to look for ours")

    def _is_ours(self, note: dict[str, Any]) -> bool:
        if self._user is None:
            data = self.client.send("GET", "/user").data
            self._user = number_of(data if isinstance(data, dict) else {}, "id")
        return bool(inner(note, "author", "id") == self._user)
