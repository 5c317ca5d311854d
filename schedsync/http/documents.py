"""One document at an address: it is got or put as a whole, in bounded time and size."""

from __future__ import annotations

import time
from contextlib import closing
from typing import Final
from urllib.parse import urljoin, urlsplit

import urllib3

from schedsync.core.published import Address
from schedsync.http.client import Budget, Client
from schedsync.http.errors import ServiceAway, ServiceError, error_of
from schedsync.http.in_time import TooLong, in_time

_MOST_REDIRECTS: Final = 5
_REDIRECTS: Final = (301, 302, 303, 307, 308)
#: In seconds: to connect, and between two pieces.
_CONNECT, _READ = 10.0, 20.0
#: In bytes.
_PIECE: Final = 2**16
_LATE: Final = "it takes too long"
_WRITTEN: Final = (200, 201, 202, 204)
#: For how many seconds a document may be put, with all tries.
_PUT_SECONDS: Final = 120.0


def get_document(address: Address, most: int, seconds: float, token: str | None = None) -> bytes:
    """Return what is at an address; ``most`` is in bytes.

    A redirect is followed by https to the same host only, as the token is sent with it. Raises ServiceAway if the host
    does not answer in time, cannot answer now, or refuses the token, else ServiceError. No message has the token, or a
    signature in the address.
    """
    try:
        return in_time(lambda: _got(address, most, time.monotonic() + seconds, token), seconds)
    except TooLong:
        raise ServiceAway(_LATE) from None


def _got(address: Address, most: int, end: float, token: str | None) -> bytes:
    headers = {"Accept-Encoding": "identity", "User-Agent": "schedsync"}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    timeout = urllib3.Timeout(connect=_CONNECT, read=_READ)
    url = address.url
    with urllib3.PoolManager(timeout=timeout, retries=False) as pool:
        for _ in range(_MOST_REDIRECTS + 1):
            try:
                reply = pool.request("GET", url, headers=headers, preload_content=False, redirect=False)
                with closing(reply):
                    if reply.status not in _REDIRECTS:
                        return _content(reply, most, end)
            except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                raise ServiceAway(f"no answer from {_host(url)}: {type(error).__name__}") from None
            url = _next(url, reply.headers.get("Location", ""))
    raise ServiceError(f"{_host(url)} redirects again and again")


def _content(reply: urllib3.BaseHTTPResponse, most: int, end: float) -> bytes:
    if reply.status != 200:
        raise error_of(reply.status)
    if reply.headers.get("Content-Encoding", "identity") != "identity":
        raise ServiceError("its answer is compressed, which was not asked for")
    data = bytearray()
    while piece := reply.read1(_PIECE):
        data += piece
        if len(data) > most:
            raise ServiceError(f"it is larger than {most // 2**20} MB")
        if time.monotonic() > end:
            raise ServiceAway(_LATE)
    return bytes(data)


def _next(url: str, location: str) -> str:
    try:
        following = urljoin(url, location)
        here, there = urlsplit(url), urlsplit(following)
        same = (here.scheme, here.netloc) == (there.scheme, there.netloc)
    except ValueError:
        same = False
    if not same or not location:
        raise ServiceError(f"{_host(url)} redirects to another host, which is not followed")
    return following


def _host(url: str) -> str:
    return urlsplit(url).netloc


def put_document(address: Address, data: bytes, token: str | None = None) -> None:
    """Put a document at an address; raises ServiceError, whose message has no secret. A redirect is not followed."""
    parts = urlsplit(address.url)
    secrets = [secret for secret in (token, parts.query) if secret]
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    Client(address.url, headers, secrets, Budget(_PUT_SECONDS)).send("PUT", "", data, _WRITTEN)
