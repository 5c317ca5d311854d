"""A GitHub of its own on one port, as GitHub Enterprise is: its API, and its repositories by Git's smart HTTP."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from tests.forges.servers import GitHubServer


@dataclass
class GitHubHost(GitHubServer):
    """The bare repositories below ``root`` can be fetched from it and pushed to it."""

    root: Path = field(default_factory=Path)

    def is_taken(self, request: BaseHTTPRequestHandler) -> bool:
        path, _, query = request.path.partition("?")
        if ".git/" not in path:
            return False
        length = int(request.headers.get("Content-Length") or 0)
        said = subprocess.run(
            ["git", "-c", "http.receivepack=true", "http-backend"],
            input=request.rfile.read(length), stdout=subprocess.PIPE, check=True,
            env=os.environ | self._variables(request, path, query),
        ).stdout  # fmt: skip
        head, _, body = said.partition(b"\r\n\r\n")
        headers = [line.split(": ", 1) for line in head.decode("latin-1").split("\r\n")]
        status = next((int(value[:3]) for name, value in headers if name == "Status"), 200)
        request.send_response(status)
        for name, value in headers:
            if name != "Status":
                request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
        return True

    def _variables(self, request: BaseHTTPRequestHandler, path: str, query: str) -> dict[str, str]:
        return {
            "GIT_PROJECT_ROOT": str(self.root), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": query,
            "REQUEST_METHOD": request.command, "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": request.headers.get("Content-Length", ""),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        }  # fmt: skip
