"""Requests to a service: a few tries, bounded waiting, bounded answers, and errors without secrets."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote

import urllib3

from schedsync.http.errors import LATER, ServiceAway, ServiceError, error_of
from schedsync.http.in_time import TooLong, in_time

_TRIES = 3
#: In seconds.
_CONNECT, _READ, _LONGEST, _LONGEST_WAIT, _BACKOFF = 5.0, 10.0, 30.0, 10.0, 0.5
#: In bytes: 10,000 checks with all their fields are less.
_LARGEST_ANSWER = 32 * 1024 * 1024
#: In characters.
_QUOTED, _SEARCHED = 200, 20_000
_FAILED = 400


class Answer(NamedTuple):
    """A status, the JSON value of the body (None for an empty one), and the headers in lower case."""

    status: int
    data: Any
    headers: Mapping[str, str]


#: The answer or None, how many seconds the service asks to wait, and the problem in words.
Tried = tuple[Answer | None, float | None, str]


@dataclass
class Budget:
    """How many seconds all requests of one call may take, counted from when this is made."""

    seconds: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _end: float = field(init=False)

    def __post_init__(self) -> None:
        self._end = self.clock() + self.seconds

    @property
    def left(self) -> float:
        """How many seconds are left, 0 when none is."""
        return max(self._end - self.clock(), 0.0)


@dataclass
class Client:
    """Sends requests to one service; ``secrets`` are replaced in every error."""

    url: str
    headers: Mapping[str, str]
    secrets: Collection[str]
    budget: Budget
    _pool: urllib3.PoolManager = field(init=False)

    def __post_init__(self) -> None:
        # A redirect would take the token to another host.
        timeout = urllib3.Timeout(connect=_CONNECT, read=_READ)
        self._pool = urllib3.PoolManager(timeout=timeout, retries=urllib3.Retry(0, redirect=False), maxsize=1)

    def send(self, method: str, path: str, body: object = None, expected: Collection[int] = (200,)) -> Answer:
        """Send a request, again where the service is busy; returns the answer if its status is expected.

        ``body`` is a JSON value, or the bytes of a document, whose answer may be any text. Raises ServiceAway where the
        service does not answer, is not the service, has no time, or refuses the key, else ServiceError.
        """
        is_document = isinstance(body, bytes)
        for attempt in range(_TRIES):
            if not self.budget.left:
                raise ServiceAway("no time was left for it")
            answer, wait, problem = self._try(method, path, body)
            if answer is not None and answer.status in expected:
                if isinstance(answer.data, str) and answer.status < _FAILED and not is_document:
                    # Such as the page of a proxy: what was asked is not done.
                    raise ServiceAway("its answer is no JSON")
                return answer
            if answer is not None and answer.status not in LATER:
                raise self._refused(answer)
            wait = wait if wait is not None else _BACKOFF * 2**attempt
            if attempt < _TRIES - 1 and wait <= min(_LONGEST_WAIT, self.budget.left):
                self.budget.sleep(wait)
            elif wait > _LONGEST_WAIT:
                break
        raise ServiceAway(self.safe(problem))

    def _try(self, method: str, path: str, body: object) -> Tried:
        longest = math.inf if isinstance(body, bytes) else _LONGEST
        try:
            return in_time(lambda: self._ask(method, path, body), min(longest, self.budget.left))
        except TooLong:
            return None, None, f"no whole answer from {self.url} in time"

    def _ask(self, method: str, path: str, body: object) -> Tried:
        headers = {**self.headers, "Accept": "application/json", "User-Agent": "schedsync"}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        if data is not None:
            headers["Content-Type"] = "application/json"
        try:
            reply = self._pool.request(method, self.url + path, body=data, headers=headers, preload_content=False)
            text = reply.read(_LARGEST_ANSWER + 1, decode_content=True)
            reply.release_conn()
        except Exception as error:
            # Of urllib3, of the socket, or of a header that is none: without its text, which can hold the key.
            return None, None, f"{type(error).__name__}: no answer from {self.url}"
        if len(text) > _LARGEST_ANSWER:
            return None, None, "its answer is too large"
        answer = _answer(reply.status, text, reply.headers)
        return answer, _retry_after(answer.headers), f"HTTP {answer.status}"

    def _refused(self, answer: Answer) -> ServiceError:
        said = "" if answer.data is None else f": {self._quoted(answer.data)}"
        return error_of(answer.status, said)

    def _quoted(self, data: Any) -> str:
        """Return the beginning of what a service said; it is cut without its secrets, because half a key is one too."""
        text = self.safe(data if isinstance(data, str) else json.dumps(data, ensure_ascii=False))
        return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}…"

    def safe(self, text: str) -> str:
        """Return a text without secrets, on one line."""
        for secret in self.secrets:
            for spelling in (secret, json.dumps(secret)[1:-1], quote(secret, safe="")):
                text = text.replace(spelling, "***")
        return "".join(letter if letter.isprintable() else " " for letter in text)


def _answer(status: int, body: bytes, headers: Mapping[str, str]) -> Answer:
    try:
        data = json.loads(body) if body.strip() else None
    except (ValueError, RecursionError):
        data = body[:_SEARCHED].decode(errors="replace")
    return Answer(status, data, {name.lower(): value for name, value in headers.items()})


def _retry_after(headers: Mapping[str, str]) -> float | None:
    text = headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) <= 6 else None


def texts(value: Any, *names: str) -> list[str]:
    """Return the named texts of a JSON object; raises ServiceError where one is missing, or is no text."""
    found = [value.get(name) if isinstance(value, dict) else None for name in names]
    if not all(isinstance(text, str) for text in found):
        raise ServiceError(f"its answer has no {' or '.join(names)}")
    return [str(text) for text in found]
