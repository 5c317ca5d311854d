"""The agent's port: `/live`, `/ready`, `/metrics`, and `POST /hook`."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from schedsync.agent.hook import MOST_BYTES, is_genuine
from schedsync.agent.state import State, not_alive
from schedsync.errors import WrongUsage
from schedsync.monitoring.settings import parse_address

logger = logging.getLogger(__name__)

#: Requests at the same time; a further one closes the oldest, so that slow clients keep no probe waiting.
_MOST_REQUESTS = 16
#: Scrapes at the same time: each has a connection to the database.
_MOST_SCRAPES = 4
#: Seconds that a client may be silent.
_PATIENCE = 10.0
#: Seconds between two lines about calls that were refused: anyone can send them.
_QUIET = 60.0

Answer = tuple[int, str]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # With the usual five, a burst of calls would let a probe wait for a second.
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], states: Sequence[State], secret: bytes | None, metrics: Callable[[], str]
    ) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.states, self.secret, self.metrics = states, secret, metrics
        self.scrapes = threading.BoundedSemaphore(_MOST_SCRAPES)
        self._open: deque[socket.socket] = deque()
        self._said = float("-inf")
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.append(request)
        if len(self._open) > _MOST_REQUESTS:
            with suppress(OSError, IndexError):
                # Its thread then reads the end of the request, and ends.
                self._open.popleft().shutdown(socket.SHUT_RDWR)
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            # Another thread may have taken it out, or be changing the queue now: what is left there is closed already.
            with suppress(ValueError, IndexError):
                self._open.remove(request)

    def say_refused(self) -> None:
        """Log that a call of the hook was refused, once a minute."""
        if time.monotonic() - self._said > _QUIET:
            self._said = time.monotonic()
            logger.info("a call of the hook was refused: its signature or token is wrong")

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Say nothing: a client that breaks off is no event."""
        logger.debug("a request failed", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    timeout = _PATIENCE
    server: _Server
    server_version, sys_version = "schedsync", ""
    _GETS: ClassVar = {"/live": "_live", "/ready": "_ready", "/metrics": "_metrics"}

    def do_GET(self) -> None:
        """Answer a probe or a scrape."""
        name = self._GETS.get(self.path)
        self._answer(getattr(self, name)() if name else (404, "there are /live, /ready, /metrics and /hook"))

    def do_POST(self) -> None:
        """Answer the hook."""
        self._answer(self._hook() if self.path == "/hook" else (404, "only /hook takes a POST"))

    def _live(self) -> Answer:
        reason = not_alive(self.server.states)
        return (503, reason) if reason else (200, "alive")

    def _ready(self) -> Answer:
        states = self.server.states
        is_ready = all(state.not_ready is None for state in states)
        return 200 if is_ready else 503, "\n".join(state.words for state in states)

    def _metrics(self) -> Answer:
        if not self.server.scrapes.acquire(blocking=False):
            return 503, f"{_MOST_SCRAPES} scrapes are under way"
        try:
            return 200, self.server.metrics()
        finally:
            self.server.scrapes.release()

    def _hook(self) -> Answer:
        secret, length = self.server.secret, self.headers.get("Content-Length", "")
        if secret is None:
            return 403, "no SCHEDSYNC_HOOK_SECRET is configured"
        if not (length.isascii() and length.isdigit() and len(length) < 12):
            return 411, "a Content-Length is needed"
        if int(length) > MOST_BYTES:
            return 413, f"more than {MOST_BYTES:,} bytes"
        if not is_genuine(secret, self.headers.get, int(length), self.rfile.read):
            self.server.say_refused()
            return 403, "the signature or the token is wrong"
        for state in self.server.states:
            state.wake.set()
        return 202, "the remote is asked now"

    def _answer(self, answer: Answer) -> None:
        data = f"{answer[1].rstrip()}\n".encode()
        self.send_response(answer[0])
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *values: Any) -> None:
        """Log nothing: probes come every few seconds."""


@contextmanager
def serving(listen: str, states: Sequence[State], secret: bytes | None, metrics: Callable[[], str]) -> Iterator[int]:
    """Serve on an address such as `127.0.0.1:9810` in the block; yields the port.

    ``metrics`` returns the text of a scrape. Raises WrongUsage for an address that cannot be used.
    """
    address = parse_address(listen)
    if address is None:
        raise WrongUsage(f"`{listen}` is no address", hint="give `host:port`, for example `127.0.0.1:9810`")
    try:
        server = _Server((address.host, address.port), states, secret, metrics)
    except OSError as error:
        raise WrongUsage(f"cannot listen on {address}: {error.strerror}", hint="free it, or give another") from error
    serve = partial(server.serve_forever, poll_interval=0.1)
    thread = threading.Thread(target=serve, name="schedsync-agent-port", daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
