"""A document is got and put in bounded time and size, and no token goes to another host."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from schedsync.core.published import Address
from schedsync.http.documents import get_document, put_document
from schedsync.http.errors import ServiceAway, ServiceError
from tests.http.servers import Documents, documents

TOKEN, SIGNATURE = "canary-Zq83vN1x-token", "X-Amz-Signature=canary-5f1e"
DATA = b'{"a": 1}' * 20_000


@pytest.fixture
def server() -> Iterator[Documents]:
    with documents(at={"/s.json": DATA}) as found:
        yield found


def got(server: Documents, path: str = "/s.json", most: int = 2**20, seconds: float = 30.0) -> bytes:
    return get_document(Address(server.url + path), most, seconds, TOKEN)


def test_a_document_is_got_with_its_token(server: Documents) -> None:
    server.token = TOKEN

    assert got(server) == DATA


def test_a_redirect_is_followed_within_the_host(server: Documents) -> None:
    server.redirects = {"/latest": "/v1/latest", "/v1/latest": f"{server.url}/s.json"}

    assert got(server, "/latest") == DATA


def test_a_redirect_to_another_host_or_scheme_is_not_followed(server: Documents) -> None:
    with documents(at={"/s.json": DATA}) as other:
        for where in (f"{other.url}/s.json", f"https{server.url[4:]}/s.json", "file:///etc/passwd", "//[", ""):
            server.redirects = {"/latest": where}
            with pytest.raises(ServiceError, match="redirects to another host"):
                got(server, "/latest")

        assert other.asked == []


def test_redirects_without_an_end_are_given_up(server: Documents) -> None:
    server.redirects = {"/latest": "/latest"}
    with pytest.raises(ServiceError, match="redirects again and again"):
        got(server, "/latest")

    assert len(server.asked) == 6


def test_what_is_too_large_or_takes_too_long_is_given_up(server: Documents) -> None:
    with pytest.raises(ServiceError, match="it is larger than 0 MB"):
        got(server, most=1_000)
    with pytest.raises(ServiceAway, match="it takes too long"):
        got(server, seconds=0.001)


@pytest.mark.parametrize("begin", [b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: "])
def test_a_host_that_sends_byte_by_byte_is_given_up(begin: bytes) -> None:
    ends = threading.Event()

    def drip(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(65_536)
            connection.sendall(begin)
            while not ends.wait(0.02):
                connection.sendall(b"1")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=lambda: drip(listener.accept()[0]))
        thread.start()
        try:
            with pytest.raises(ServiceAway, match="it takes too long"):
                get_document(Address(f"http://127.0.0.1:{listener.getsockname()[1]}/"), 1_000, 0.3)
        finally:
            ends.set()
            thread.join()


def test_what_ends_too_early_is_no_document(server: Documents) -> None:
    server.headers = {"Content-Length": str(len(DATA) + 1), "Connection": "close"}
    with pytest.raises(ServiceAway, match=r"IncompleteRead|ProtocolError"):
        got(server)


def test_a_compressed_answer_is_refused(server: Documents) -> None:
    """It could be a small one that becomes a huge one."""
    server.headers = {"Content-Encoding": "gzip"}
    with pytest.raises(ServiceError, match="compressed"):
        got(server)


@pytest.mark.parametrize("status", [401, 403, 404, 500, 204])
def test_any_other_status_is_an_error_without_secrets(server: Documents, status: int) -> None:
    server.status = status
    address = Address(f"{server.url}/s.json?{SIGNATURE}")
    with pytest.raises(ServiceError) as caught:
        get_document(address, 100, 1.0, TOKEN)

    assert not [secret for secret in (TOKEN, SIGNATURE) if secret in f"{caught.value} {address}"]


@pytest.mark.parametrize(("status", "is_away"), [(401, True), (403, True), (404, False), (429, True), (503, True)])
def test_a_host_that_is_busy_or_refuses_the_token_is_away(server: Documents, status: int, is_away: bool) -> None:
    server.status = status
    with pytest.raises(ServiceError, match=f"HTTP {status}") as caught:
        got(server)

    assert isinstance(caught.value, ServiceAway) == is_away


def test_a_host_that_is_away_is_said_to_be_so(server: Documents) -> None:
    with pytest.raises(ServiceAway, match=r"no answer from 127\.0\.0\.1:1: "):
        get_document(Address("http://127.0.0.1:1/s.json"), 100, 5.0)


def test_a_document_is_put_with_its_token_or_by_a_signature(server: Documents) -> None:
    server.token = TOKEN
    put_document(Address(f"{server.url}/new.json"), DATA, TOKEN)
    server.token = None
    put_document(Address(f"{server.url}/signed.json?{SIGNATURE}"), DATA)

    assert (server.at["/new.json"], server.at[f"/signed.json?{SIGNATURE}"]) == (DATA, DATA)
    assert server.seen_tokens == [f"Bearer {TOKEN}", None]


def test_a_document_that_cannot_be_put_is_an_error_without_secrets(
    server: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("schedsync.http.client._BACKOFF", 0.0)
    for status in (302, 401, 403, 404, 500):
        server.status = status
        with pytest.raises(ServiceError, match=f"HTTP {status}") as caught:
            put_document(Address(f"{server.url}/new.json?{SIGNATURE}"), DATA, TOKEN)
        assert not [secret for secret in (TOKEN, SIGNATURE) if secret in str(caught.value)]
    with pytest.raises(ServiceAway, match="no answer") as caught:
        put_document(Address(f"http://127.0.0.1:1/new.json?{SIGNATURE}"), DATA, TOKEN)

    assert SIGNATURE not in str(caught.value)
    assert "/new.json" not in server.at
