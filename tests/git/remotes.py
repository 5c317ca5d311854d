"""Real remotes of Git: a repository that commits are pushed to, and servers that do not behave."""

from __future__ import annotations

import contextlib
import http.server
import os
import socket
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_IDENTITY = {
    "GIT_AUTHOR_NAME": "maria", "GIT_AUTHOR_EMAIL": "maria@example.org",
    "GIT_COMMITTER_NAME": "maria", "GIT_COMMITTER_EMAIL": "maria@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
}  # fmt: skip


class Origin:
    """A bare repository as a remote; each commit is made without a work tree."""

    def __init__(self, root: Path, algorithm: str = "sha1") -> None:
        self.root = root
        self.git("init", "--quiet", "--bare", "--initial-branch=main", f"--object-format={algorithm}", str(root))

    def git(self, *words: str, data: bytes | None = None, **variables: str) -> str:
        environment = os.environ | _IDENTITY | {"GIT_DIR": str(self.root)} | variables
        done = subprocess.run(["git", *words], input=data, capture_output=True, check=True, env=environment)
        return done.stdout.decode().strip()

    def commit(
        self, files: dict[str, str], parent: str | None = "main", branch: str = "main", options: tuple[str, ...] = ()
    ) -> str:
        """Commit exactly these files: a text, or a mode and an object id as `160000 ID`; returns the id."""
        index: dict[str, Any] = {"GIT_INDEX_FILE": str(self.root / "an-index")}
        (self.root / "an-index").unlink(missing_ok=True)
        for name, text in files.items():
            if text[:7] not in ("160000 ", "120000 "):
                text = "100644 " + self.git("hash-object", "-w", "--stdin", data=text.encode())
            mode, blob = text.split(" ", 1)
            if mode == "120000":
                blob = self.git("hash-object", "-w", "--stdin", data=blob.encode())
            self.git("update-index", "--add", "--cacheinfo", f"{mode},{blob},{name}", **index)
        tree = self.git("write-tree", "--missing-ok", **index)
        known = parent and subprocess.run(
            ["git", "-C", str(self.root), "rev-parse", "--verify", "--quiet", parent], check=False, capture_output=True
        )
        parents = ["-p", known.stdout.decode().strip()] if known and known.returncode == 0 else []
        # `-c` and `-S` come before the verb and after it.
        before = [word for pair in zip(options[::2], options[1::2], strict=True) for word in pair if options]
        signed = ["-S"] if options else []
        commit = self.git(*before, "commit-tree", tree, *parents, *signed, "-m", "a commit")
        self.git("update-ref", f"refs/heads/{branch}", commit)
        return commit


@contextlib.contextmanager
def daemon(root: Path) -> Iterator[int]:
    """Serve the repositories below a directory by Git's own protocol; yields the port."""
    port = free_port()
    words = ["git", "daemon", "--export-all", "--reuseaddr", f"--base-path={root}", "--listen=127.0.0.1"]
    process = subprocess.Popen([*words, f"--port={port}", str(root)], stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        while process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
        yield port
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def stalling(port: int, after: int) -> Iterator[int]:
    """Pass on what a server says, and after so many bytes nothing more; yields the port."""
    done = threading.Event()

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", port)) as server:
                threading.Thread(target=self._forward, args=(server,), daemon=True).start()
                left = after
                while left and (data := server.recv(min(left, 4096))):
                    self.request.sendall(data)
                    left -= len(data)
                done.wait(60)

        def _forward(self, server: socket.socket) -> None:
            with contextlib.suppress(OSError):
                while data := self.request.recv(4096):
                    server.sendall(data)

    with _serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Relay)) as found:
        try:
            yield found
        finally:
            done.set()


@contextlib.contextmanager
def answering(status: int, body: bytes) -> Iterator[int]:
    """Answer each request by HTTP with the same; yields the port."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/x-git-upload-pack-advertisement")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *values: Any) -> None:
            pass

    with _serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)) as found:
        yield found


@contextlib.contextmanager
def _serving(server: socketserver.TCPServer) -> Iterator[int]:
    server.daemon_threads = True  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
