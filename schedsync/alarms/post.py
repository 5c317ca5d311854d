"""A process of its own that hands letters to the services: ``python -m schedsync.alarms.post SECONDS``.

It reads one JSON document from stdin and writes one line for each letter and service to stdout. A service that hangs
hangs this process; the caller ends it then, or it ends itself after SECONDS. The log lines of Apprise and of HTTP
libraries hold URLs, so they end here.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any

#: What became of a letter at one service.
ARRIVED, REFUSED, UNKNOWN_URL = "arrived", "refused", "unknown url"
_CODE = "error="
_DIGITS = 3


#: The HTTP status of the last error of the service that is called; Apprise may call it in a thread of its own.
_code: ContextVar[list[int]] = ContextVar("code")


class _Codes(logging.Handler):
    """Keeps the HTTP status that Apprise logs, and nothing else of the line."""

    def emit(self, record: logging.LogRecord) -> None:
        """Look for the status."""
        digits = record.getMessage().partition(_CODE)[2][:_DIGITS]
        if len(digits) == _DIGITS and digits.isascii() and digits.isdigit():
            _code.get([]).append(int(digits))


class _Service:
    """One service: sends the letters in order, and tells about each."""

    def __init__(self, number: int, url: str, tell: Any) -> None:
        self._number, self._url, self._tell = number, url, tell

    def send(self, letters: Sequence[Mapping[str, Any]]) -> None:
        """Send the letters; raises nothing."""
        try:
            service = self._service()
            for number, letter in enumerate(letters):
                codes: list[int] = []
                _code.set(codes)
                status = UNKNOWN_URL if service is None else self._send(service, letter)
                self._tell([self._number, number, status, codes[-1] if codes else None])
        except Exception:
            # The caller knows that a letter has not arrived; the text of the error may hold the URL.
            return

    def _service(self) -> Any:
        import apprise

        asset: Any = apprise.AppriseAsset(app_id="schedsync", async_mode=False, secure_logging=True)
        # With a limit of its own Apprise would share a few threads among the services, and one that hangs blocks one.
        asset._service_timeout = 0.0
        found = apprise.Apprise(asset=asset)
        return found if found.add(self._url) else None

    def _send(self, service: Any, letter: Mapping[str, Any]) -> str:
        import apprise

        arrived = service.notify(
            body=letter["body"], title=letter["title"], notify_type=letter["type"],
            body_format=apprise.NotifyFormat.TEXT, interpret_escapes=False,
        )  # fmt: skip
        return ARRIVED if arrived else REFUSED


def main() -> None:
    """Send what stdin says to all services at once."""
    # Where a library prints, the caller would read it.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    lock = threading.Lock()

    def tell(answer: list[Any]) -> None:
        with lock:
            answers.write(json.dumps(answer) + "\n")
            answers.flush()

    # The caller may be gone by then; this ends the threads too.
    watchdog = threading.Timer(float(sys.argv[1]), os._exit, (1,))
    watchdog.daemon = True
    watchdog.start()
    request = json.loads(sys.stdin.buffer.read())
    logging.getLogger("apprise").addHandler(_Codes(logging.WARNING))
    logging.getLogger("apprise").propagate = False
    threads = [
        threading.Thread(target=_Service(number, each["url"], tell).send, args=(each["letters"],))
        for number, each in enumerate(request)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
