"""A small server for documents: what it has at each path, what was put there, and where it redirects to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar


@dataclass
class Documents:
    """Documents by path; ``headers`` are added to each answer, ``token`` is asked for where there is one."""

    at: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    token: str | None = None
    status: int = 200
    asked: list[str] = field(default_factory=list)
    seen_tokens: list[str | None] = field(default_factory=list)
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    documents: ClassVar[Documents]

    def do_GET(self) -> None:
        if self._is_let_in():
            found = self.documents.at.get(self.path)
            self._send(self.documents.status if found is not None else 404, found or b"no such document")

    def do_PUT(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if self._is_let_in():
            if self.documents.status == 200:
                self.documents.at[self.path] = data
            self._send(self.documents.status, b"")

    def _is_let_in(self) -> bool:
        known, token = self.documents, self.headers.get("Authorization")
        known.asked.append(f"{self.command} {self.path}")
        known.seen_tokens.append(token)
        if self.path in known.redirects:
            self._send(302, b"", Location=known.redirects[self.path])
        elif known.token and token != f"Bearer {known.token}":
            self._send(401, f"wrong token {token}".encode())
        else:
            return True
        return False

    def _send(self, status: int, data: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(data))} | headers | self.documents.headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Let a handler answer on a port of its own, and yield the address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as listener:
        listener.daemon_threads = True
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.server_address[1]}"
        finally:
            listener.shutdown()
            thread.join()


@contextmanager
def documents(**values: Any) -> Iterator[Documents]:
    """Run a server of documents."""
    server = Documents(**values)
    with listening(type("Handler", (_Handler,), {"documents": server})) as server.url:
        yield server
