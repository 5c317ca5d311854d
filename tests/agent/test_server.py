"""The agent's port: probes, metrics, and a hook that believes only those who know the secret."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import logging
import socket
import threading
from collections.abc import Iterator

import pytest
from django.test import override_settings

from schedsync.agent.hook import hook_secret
from schedsync.agent.metrics import metrics_of
from schedsync.agent.server import serving
from schedsync.agent.state import State
from schedsync.errors import Failed, InvalidConfiguration, WrongUsage
from schedsync.monitoring.metrics import METRICS
from schedsync.usecases.agent import Turn
from tests.monitoring.names import exported_names

SECRET = b"0123456789abcdef"
BODY = b'{"ref": "refs/heads/main"}'


@pytest.fixture
def state() -> State:
    return State()


@pytest.fixture
def port(state: State) -> Iterator[int]:
    with serving(f"127.0.0.1:{free()}", (state,), SECRET, lambda: "a 1\n") as found:
        yield found


def free() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def ask(port: int, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def signed(body: bytes = BODY, secret: bytes = SECRET) -> str:
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


KEY = bytes(range(32))
#: A secret as GitLab makes it for its signatures.
SIGNING = b"whsec_" + base64.b64encode(KEY)


def standard(key: bytes = SECRET, body: bytes = BODY, start: str = "msg_1.1700000000.") -> dict[str, str]:
    digest = hmac.new(key, start.encode() + body, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook_id": "msg_1", "webhook_timestamp": "1700000000", "webhook_signature": signature}


def test_the_probes_say_what_the_agent_does(port: int, state: State) -> None:
    assert ask(port, "GET", "/live") == (200, "alive\n")
    assert ask(port, "GET", "/ready") == (200, "stands by\n")
    state.stepped(acts=True, problem=None)
    assert ask(port, "GET", "/ready") == (503, "no commit was applied yet\n")
    state.turned(Turn("a" * 40, fetch_problem=Failed("gone")))
    assert ask(port, "GET", "/ready") == (200, "keeps aaaaaaaaaaaa\n")
    state.stepped(acts=False, problem="gone")
    assert ask(port, "GET", "/ready") == (503, "the database is away\n")
    state._stepped -= 10_000
    assert ask(port, "GET", "/live") == (503, "the loop does not go on\n")
    assert ask(port, "GET", "/metrics") == (200, "a 1\n")
    assert ask(port, "GET", "/etc/passwd")[0] == 404


def test_each_follow_is_told_by_its_name() -> None:
    states = [State("eu"), State("us"), State("lab")]
    for state in states:
        state.stepped(acts=True, problem=None)
        state.turned(Turn("a" * 40, "main", problem=None if state.name == "eu" else Failed("refused")))
    states[1].commit = None
    with serving(f"127.0.0.1:{free()}", states, SECRET, metrics_of(None, states)) as port:
        assert ask(port, "GET", "/ready") == (
            503, "eu: keeps aaaaaaaaaaaa\nus: no commit was applied yet\nlab: keeps aaaaaaaaaaaa\n",
        )  # fmt: skip
        states[1].commit = "b" * 40
        assert ask(port, "GET", "/ready")[0] == 200
        lines = ask(port, "GET", "/metrics")[1].splitlines()
        assert ask(port, "POST", "/hook", BODY, X_Gitlab_Token=SECRET.decode())[0] == 202
        states[2]._stepped -= 10_000
        assert ask(port, "GET", "/live") == (503, "the loop does not go on: lab\n")

    failed = [line for line in lines if line.startswith("schedsync_agent_commit_failed{")]
    assert failed == [
        'schedsync_agent_commit_failed{follow="eu"} 0.0', 'schedsync_agent_commit_failed{follow="us"} 1.0',
        'schedsync_agent_commit_failed{follow="lab"} 1.0',
    ]  # fmt: skip
    assert not any(line.startswith("schedsync_database_up") for line in lines)
    assert all(state.wake.is_set() for state in states)


@pytest.mark.one_database
def test_the_metrics_are_those_of_the_agent_and_of_its_database(using: str, state: State) -> None:
    scrape = metrics_of(using, (state,))
    assert "schedsync_agent_fetch_failed" not in scrape()
    state.stepped(acts=True, problem=None)
    state.turned(Turn("a" * 40, "main", fetch_problem=Failed("gone")))
    lines = scrape().splitlines()

    assert {
        'schedsync_agent_acts{follow="default"} 1.0', 'schedsync_agent_fetch_failed{follow="default"} 1.0',
        "schedsync_database_up 1.0",
    } <= {*lines}  # fmt: skip
    assert exported_names(metric for metric in METRICS if metric.name.startswith("schedsync_agent_")) - {
        line.split()[0].partition("{")[0] for line in lines
    } == {"schedsync_agent_last_apply_timestamp_seconds"}


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Hub_Signature_256": signed()}, {"x_hub_signature_256": signed()}, {"X_Gitlab_Token": SECRET.decode()},
        standard(), {**standard(), "X_Gitlab_Token": "another secret"},
        # The time of a call long ago; several signatures, while the secret is changed.
        {**standard(), "webhook_signature": f"v1a,x v1,{'A' * 44} {standard()['webhook_signature']}"},
    ],
)  # fmt: skip
def test_who_knows_the_secret_wakes_the_agent(port: int, state: State, headers: dict[str, str]) -> None:
    assert ask(port, "POST", "/hook", BODY, **headers)[0] == 202
    assert state.wake.is_set()


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"X_Hub_Signature_256": signed(b"other")}, {"X_Hub_Signature_256": signed(secret=b"x" * 16)},
        {"X_Hub_Signature_256": ""}, {"X_Hub_Signature_256": "sha256="}, {"X_Gitlab_Token": ""},
        {"X_Gitlab_Token": "wrong"}, {"X_Gitlab_Token": "\xe9"},
        # A wrong signature is not mended by another header.
        {"X_Hub_Signature_256": signed(b"other"), "X_Gitlab_Token": SECRET.decode()},
        {"X_Hub_Signature_256": signed(b"other"), **standard()},
        {**standard(b"x" * 16), "X_Gitlab_Token": SECRET.decode()}, standard(body=b"other"),
        {**standard(), "webhook_id": "msg_2"}, {**standard(), "webhook_timestamp": "1700000001"},
        {"webhook_signature": standard(start="..")["webhook_signature"]},
        {**standard(), "webhook_signature": ""}, {**standard(), "webhook_signature": "v1," * 5000},
        {**standard(), "webhook_signature": standard()["webhook_signature"].replace("v1,", "v2,")},
    ],
)  # fmt: skip
def test_who_does_not_know_it_is_refused(port: int, state: State, headers: dict[str, str]) -> None:
    assert ask(port, "POST", "/hook", BODY, **headers) == (403, "the signature or the token is wrong\n")
    assert not state.wake.is_set()


def test_a_signature_of_a_standard_webhook_is_made_by_the_key_within_the_secret(state: State) -> None:
    with serving(f"127.0.0.1:{free()}", (state,), SIGNING, str) as port:
        statuses = [ask(port, "POST", "/hook", BODY, **standard(key))[0] for key in (SIGNING, KEY)]

    assert (statuses, state.wake.is_set()) == ([403, 202], True)


def test_a_replay_is_harmless_and_a_flood_of_wrong_calls_one_line(
    port: int, state: State, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "schedsync")
    answers = {ask(port, "POST", "/hook", BODY, X_Hub_Signature_256=signed()) for _ in range(50)}
    wrong = {ask(port, "POST", "/hook", BODY, X_Gitlab_Token="wrong")[0] for _ in range(50)}

    assert ({status for status, _ in answers}, state.wake.is_set(), state.has_turned) == ({202}, True, False)
    assert (wrong, len(caplog.records)) == ({403}, 1)


def test_slow_clients_keep_no_probe_and_no_call_waiting(port: int, state: State) -> None:
    """Each has sent a part of its request, and nothing more; one sends its body in pieces without end."""
    starts = (b"", b"POST /hook HTTP/1.1\r\nContent-", b"POST /hook HTTP/1.1\r\nContent-Length: 9000000\r\n\r\nx")
    clients = []
    for number in range(60):
        client = socket.create_connection(("127.0.0.1", port), 10)
        client.sendall(starts[number % 3])
        clients.append(client)
    assert ask(port, "GET", "/live")[0] == 200
    assert ask(port, "POST", "/hook", BODY, X_Hub_Signature_256=signed())[0] == 202
    # The oldest was closed for a newer one.
    assert clients[0].recv(10) == b""
    for client in clients:
        client.close()


def test_scrapes_at_the_same_time_are_bounded(state: State) -> None:
    entered, may_end = threading.Semaphore(0), threading.Event()

    def slow() -> str:
        entered.release()
        assert may_end.wait(60)
        return "a 1\n"

    with serving(f"127.0.0.1:{free()}", (state,), None, slow) as port:
        threads = [threading.Thread(target=ask, args=(port, "GET", "/metrics")) for _ in range(4)]
        for thread in threads:
            thread.start()
            assert entered.acquire(timeout=60)
        busy = ask(port, "GET", "/metrics")
        may_end.set()
        for thread in threads:
            thread.join()

        assert (busy, ask(port, "GET", "/metrics")[0]) == ((503, "4 scrapes are under way\n"), 200)


@pytest.mark.parametrize("more", ["", "Transfer-Encoding: chunked\r\n"])
def test_a_call_without_a_length_is_refused(port: int, state: State, more: str) -> None:
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(f"POST /hook HTTP/1.1\r\n{more}\r\n2\r\nab\r\n0\r\n\r\n".encode())
        assert client.recv(4096).split()[1] == b"411"

    assert not state.wake.is_set()


@pytest.mark.parametrize(("length", "status"), [("x", 411), ("-1", 411), ("99999999999", 413), ("9" * 30, 411)])
def test_the_body_is_bounded(port: int, state: State, length: str, status: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(f"POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode())
        assert client.recv(4096).split()[1] == str(status).encode()

    assert not state.wake.is_set()


def test_without_a_secret_the_hook_is_refused(state: State) -> None:
    with serving(f"127.0.0.1:{free()}", (state,), None, str) as port:
        assert ask(port, "POST", "/hook", BODY, X_Gitlab_Token="")[0] == 403
        assert ask(port, "POST", "/live", BODY)[0] == 404

    assert not state.wake.is_set()


def test_the_secret_is_a_setting_or_a_variable_and_not_short(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hook_secret() is None
    with override_settings(SCHEDSYNC_HOOK_SECRET=SECRET.decode()):
        assert hook_secret() == SECRET
    # The second one is long enough as a text, and its key is not.
    for short in ("short", "whsec_c2hvcnQ="):
        monkeypatch.setenv("SCHEDSYNC_HOOK_SECRET", short)
        with pytest.raises(InvalidConfiguration, match="fewer than 16 bytes"):
            hook_secret()
    monkeypatch.setenv("SCHEDSYNC_HOOK_SECRET", "whsec_is no Base64, and long enough")
    assert hook_secret() == b"whsec_is no Base64, and long enough"


@pytest.mark.parametrize("listen", ["", "here", "127.0.0.1:99999", "127.0.0.1:{taken}"])
def test_an_address_that_cannot_be_used_is_named(listen: str, state: State, port: int) -> None:
    with pytest.raises(WrongUsage, match=r"is no address|cannot listen on"):
        serving(listen.format(taken=port), (state,), None, str).__enter__()
