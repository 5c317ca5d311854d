"""A service on this machine for Apprise's ``json://``: it notes what it gets, and answers as a test wants."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: A part of the URLs of all tests, which must never be seen anywhere.
CANARY = "canary7secret"


class Service(ThreadingHTTPServer):
    """Answers with the next of ``answers``, and with the last of them from then on; "hang" and "garbage" are no HTTP.

    ``got`` holds the documents that were posted.
    """

    daemon_threads = True

    def __init__(self, *answers: int | str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = list(answers) or [200]
        self.got: list[dict[str, Any]] = []
        self.ends = threading.Event()

    @property
    def url(self) -> str:
        return f"json://user:{CANARY}@127.0.0.1:{self.server_address[1]}/{CANARY}"

    @property
    def titles(self) -> list[str]:
        return [document["title"] for document in self.got]


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        self.server.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        answer = self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0]
        if answer == "hang":
            self.server.ends.wait(60)
        elif answer == "garbage":
            self.wfile.write(b"\x00\xff no HTTP \r\n\r\n" * 50)
        else:
            self.send_response(int(answer))
            self.send_header("Content-Length", str(len(CANARY)))
            self.end_headers()
            self.wfile.write(CANARY.encode())

    def log_message(self, *_words: Any) -> None:
        pass


@contextmanager
def service(*answers: int | str) -> Iterator[Service]:
    """Serve until the block ends."""
    with Service(*answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.ends.set()
            server.shutdown()
            thread.join()
