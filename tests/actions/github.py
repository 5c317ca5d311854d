"""A stand-in for GitHub's HTTP interface, for `gh` over a Unix socket."""

from __future__ import annotations

import io
import json
import re
import socketserver
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

BOT = "github-actions[bot]"
PAGE = 2


@dataclass
class GitHub:
    """What it holds: comments and issues by number, pull requests, artifacts, and what was asked of it.

    ``name`` is its host; every other than github.com has the interface below ``/api/v3``, as GitHub Enterprise Server.
    """

    comments: list[dict[str, Any]] = field(default_factory=list)
    issues: list[dict[str, Any]] = field(default_factory=list)
    pulls: list[dict[str, Any]] = field(default_factory=list)
    artifacts: list[dict[str, Any]] = field(default_factory=list)
    archives: dict[int, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    name: str = "github.com"
    forbidden: bool = False
    broken: bool = False

    def answer(self, method: str, path: str, query: Mapping[str, list[str]], body: dict[str, Any]) -> tuple[int, Any]:
        self.asked.append((method, path))
        if self.forbidden:
            return 403, {"message": "Resource not accessible by integration"}
        if self.broken:
            return 502, {"message": "Bad Gateway"}
        if match := re.fullmatch(r"/repos/acme/shop/issues/(\d+)/comments", path):
            if method == "GET":
                return 200, [one for one in self.comments if one["issue"] == int(match[1])]
            self.comments.append(
                {"id": 100 + len(self.comments), "issue": int(match[1]), "user": {"login": BOT}, **body}
            )
            return 201, self.comments[-1]
        if match := re.fullmatch(r"/repos/acme/shop/issues/comments/(\d+)", path):
            found = next(one for one in self.comments if one["id"] == int(match[1]))
            found.update(body)
            return 200, found
        if path == "/repos/acme/shop/issues":
            if method == "GET":
                labels = set(query["labels"])
                return 200, [one for one in self.issues if one["state"] == "open" and labels <= set(one["labels"])]
            self.issues.append({"number": 1 + len(self.issues), "state": "open", "pull_request": None, **body})
            return 201, self.issues[-1]
        if match := re.fullmatch(r"/repos/acme/shop/issues/(\d+)", path):
            found = self.issues[int(match[1]) - 1]
            found.update(body)
            return 200, found
        if path == "/repos/acme/shop/pulls":
            return 200, [one for one in self.pulls if one["head"]["label"] == query["head"][0]]
        return self._kept(path, query)

    def _kept(self, path: str, query: Mapping[str, list[str]]) -> tuple[int, Any]:
        """Answer about the artifacts of runs, and the pull requests of a commit."""
        if match := re.fullmatch(r"/repos/acme/shop/commits/([0-9a-f]{40})/pulls", path):
            return 200, [one for one in self.pulls if match[1] in (one["merge_commit_sha"], one["head"]["sha"])]
        if path == "/repos/acme/shop/actions/artifacts":
            named = [one for one in self.artifacts if one["name"] == query["name"][0]]
            return 200, {"total_count": len(named), "artifacts": named}
        if match := re.fullmatch(r"/repos/acme/shop/actions/artifacts/(\d+)/zip", path):
            return 302, f"/signed/{match[1]}"
        if match := re.fullmatch(r"/signed/(\d+)", path):
            return 200, self.archives[int(match[1])]
        return 404, {"message": "Not Found"}

    def keep(self, name: str, file: Path, head: str, repository: int = 1) -> None:
        """Keep a file as an artifact of a run for a commit of a repository; 1 is ours."""
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as archive:
            archive.write(file, file.name)
        number = 11 + len(self.artifacts)
        run = {"head_sha": head, "repository_id": 1, "head_repository_id": repository}
        self.artifacts.append({"id": number, "name": name, "expired": False, "workflow_run": run})
        self.archives[number] = data.getvalue()


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def _handler(github: GitHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def address_string(self) -> str:
            return "local"

        def log_message(self, *_: Any) -> None:
            pass

        def reply(self) -> None:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}") if length else {}
            github.hosts.add(self.headers["Host"])
            path = parts.path if github.name == "github.com" else parts.path.removeprefix("/api/v3")
            status, said = github.answer(self.command, path, query, body)
            link = None
            if isinstance(said, list):
                page = int(query.get("page", ["1"])[0])
                if len(said) > page * PAGE:
                    link = f'<https://api.github.com{parts.path}?page={page + 1}&{parts.query}>; rel="next"'
                said = said[(page - 1) * PAGE : page * PAGE]
            data = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            if status == 302:
                self.send_header("Location", f"https://files.example.org{said}")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            if link:
                self.send_header("Link", link)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = reply

    return Handler


@contextmanager
def serving(github: GitHub, directory: Path) -> Iterator[dict[str, str]]:
    """Serve it, and yield the environment in which `gh` asks it."""
    socket = directory / "gh.sock"
    config = directory / "gh"
    config.mkdir()
    (config / "config.yml").write_text(f"http_unix_socket: {socket}\n")
    with _Server(str(socket), _handler(github)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield {
            "GITHUB_SERVER_URL": f"https://{github.name}",
            "GH_CONFIG_DIR": str(config),
            "GH_TOKEN": "x",
            "GH_PROMPT_DISABLED": "1",
            "GH_NO_UPDATE_NOTIFIER": "1",
        }
        server.shutdown()
