"""Small servers that speak the documented APIs of Healthchecks and Sentry, with state, and with faults on demand."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.http.servers import listening

#: A key that must never be seen anywhere.
CANARY = "canary-Zq83vN1x-secret"
Reply = tuple[int, Any, dict[str, str]]
NOT_FOUND: Reply = (404, {"error": "not found"}, {})


@dataclass
class Server:
    """A service: its monitors by id, what it was asked with which bodies, and the faults that its next answers have.

    A fault is a status, a text that is no JSON, or None for a connection that is closed; ``faulty`` says to which
    requests they apply.
    """

    monitors: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    faults: list[int | str | None] = field(default_factory=list)
    faulty: Callable[[str, dict[str, Any]], bool] = lambda _line, _body: True
    always: int | str | None = 200
    retry_after: str = "0"
    url: str = ""

    def fault(self, line: str, body: dict[str, Any]) -> int | str | None:
        if not self.faulty(line, body):
            return 200
        return self.faults.pop(0) if self.faults else self.always

    def answer(self, method: str, path: str, body: dict[str, Any], headers: Any) -> Reply:
        raise NotImplementedError

    def is_taken(self, request: BaseHTTPRequestHandler) -> bool:
        """Answer a request that is none of the API's, and say so."""
        return False

    def by_slug(self) -> dict[str, dict[str, Any]]:
        return {monitor["slug"]: monitor for monitor in self.monitors.values()}

    def writes(self) -> list[str]:
        """The requests that are no GET, without ids; they are forgotten then."""
        lines = [re.sub(r"[0-9a-f-]{36}", "ID", line) for line in self.asked if not line.startswith("GET")]
        self.asked.clear()
        return lines


@dataclass
class HealthchecksServer(Server):
    """Management API v3 of one project."""

    def answer(self, method: str, path: str, body: dict[str, Any], headers: Any) -> Reply:
        if headers.get("X-Api-Key") != CANARY:
            return 401, {"error": f"wrong api key {headers.get('X-Api-Key')}"}, {}
        root = "/api/v3/checks/"
        if not path.startswith(root):
            return NOT_FOUND
        found, _, action = path.removeprefix(root).partition("/")
        if not found:
            return (200, {"checks": list(map(self._shown, self.monitors))}, {}) if method == "GET" else self._made(body)
        if found not in self.monitors:
            return NOT_FOUND
        if action:
            return self._paused(found, action)
        if method == "DELETE":
            return 200, {**self._shown(found), "gone": self.monitors.pop(found)["slug"]}, {}
        self._update(self.monitors[found], body)
        return 200, self._shown(found), {}

    def _shown(self, found: str) -> dict[str, Any]:
        return {**self.monitors[found], "update_url": f"{self.url}/api/v3/checks/{found}"}

    def _made(self, body: dict[str, Any]) -> Reply:
        same = [key for key, one in self.monitors.items() if body.get("unique") and one["slug"] == body["slug"]]
        found = same[0] if same else str(uuid.uuid4())
        self._update(self.monitors.setdefault(found, {"status": "new"}), body)
        return 200 if same else 201, self._shown(found), {}

    def _update(self, monitor: dict[str, Any], body: dict[str, Any]) -> None:
        assert re.fullmatch(r"[a-z0-9_-]{0,100}", body["slug"])
        assert 60 <= body["grace"] <= 31_536_000
        if "schedule" in body:
            monitor.pop("timeout", None)
        elif "timeout" in body:
            assert 60 <= body["timeout"] <= 31_536_000
            monitor.pop("schedule", None)
            monitor.pop("tz", None)
        monitor.update({key: value for key, value in body.items() if key != "unique"})

    def _paused(self, found: str, action: str) -> Reply:
        monitor = self.monitors[found]
        if action == "resume" and monitor["status"] != "paused":
            return 409, {"error": "check is not paused"}, {}
        monitor["status"] = "paused" if action == "pause" else "new"
        return 200, self._shown(found), {}


@dataclass
class SentryServer(Server):
    """The monitors of the organization `acme`, two a page."""

    page: int = 2

    def answer(self, method: str, path: str, body: dict[str, Any], headers: Any) -> Reply:
        if headers.get("Authorization") != f"Bearer {CANARY}":
            return 401, {"detail": f"Invalid token {headers.get('Authorization')}"}, {}
        path, _, query = path.partition("?")
        root = "/api/0/organizations/acme/monitors/"
        if not path.startswith(root):
            return NOT_FOUND
        found = path.removeprefix(root).strip("/")
        if not found:
            return self._listed(query) if method == "GET" else self._written(str(uuid.uuid4()), body, 201)
        if found not in self.monitors:
            return NOT_FOUND
        if method == "DELETE":
            del self.monitors[found]
            return 202, None, {}
        return self._written(found, body, 200)

    def _listed(self, query: str) -> Reply:
        cursor = re.search(r"cursor=0%3A(\d+)%3A0", query)
        start = int(cursor[1]) if cursor else 0
        every = list(self.monitors.values())
        more = "true" if start + self.page < len(every) else "false"
        link = f'<{self.url}>; rel="previous"; results="false"; cursor="0:0:1", '
        link += f'<{self.url}>; rel="next"; results="{more}"; cursor="0:{start + self.page}:0"'
        return 200, every[start : start + self.page], {"Link": link}

    def _written(self, found: str, body: dict[str, Any], status: int) -> Reply:
        slug = body["slug"]
        if not re.fullmatch(r"(?![0-9]+$)[a-z0-9_-]{1,50}", slug):
            return 400, {"slug": ["Enter a valid slug"]}, {}
        if any(one["slug"] == slug for key, one in self.monitors.items() if key != found):
            return 400, {"slug": [f'The slug "{slug}" is already in use.']}, {}
        there = self.monitors.get(found, {})
        self.monitors[found] = {
            "id": found,
            "name": body["name"],
            "slug": slug,
            "isMuted": body["is_muted"],
            "project": {"slug": body["project"]},
            "config": {**there.get("config", {}), **body["config"]},
            "environments": [{"name": "production"}],
        }
        return status, self.monitors[found], {}


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Run a server on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_one(self) -> None:
            if server.is_taken(self):
                return
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            line = f"{self.command} {self.path}"
            server.asked.append(line)
            server.bodies.append(body)
            fault = server.fault(line, body)
            if fault is None:
                self.close_connection = True
                return
            if isinstance(fault, str):
                self._send(200, fault.encode(), {})
            elif fault != 200:
                self._send(fault, b'{"error": "busy"}', {"Retry-After": server.retry_after})
            else:
                status, data, headers = server.answer(self.command, self.path, body, self.headers)
                self._send(status, b"" if data is None else json.dumps(data).encode(), headers)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one

        def _send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    with listening(Handler) as server.url:
        yield server
