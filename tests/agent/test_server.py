"""The agent's port: probes, metrics, and a hook that believes only those who know the secret."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import socket
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
    [{"X_Hub_Signature_256": signed()}, {"x_hub_signature_256": signed()}, {"X_Gitlab_Token": SECRET.decode()}],
)
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
    ],
)  # fmt: skip
def test_who_does_not_know_it_is_refused(port: int, state: State, headers: dict[str, str]) -> None:
    assert ask(port, "POST", "/hook", BODY, **headers) == (403, "the signature or the token is wrong\n")
    assert not state.wake.is_set()


def test_a_replay_is_harmless(port: int, state: State) -> None:
    answers = {ask(port, "POST", "/hook", BODY, X_Hub_Signature_256=signed()) for _ in range(50)}

    assert ({status for status, _ in answers}, state.wake.is_set(), state.has_turned) == ({202}, True, False)


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
    monkeypatch.setenv("SCHEDSYNC_HOOK_SECRET", "short")
    with pytest.raises(InvalidConfiguration, match="fewer than 16 bytes"):
        hook_secret()


@pytest.mark.parametrize("listen", ["", "here", "127.0.0.1:99999", "127.0.0.1:{taken}"])
def test_an_address_that_cannot_be_used_is_named(listen: str, state: State, port: int) -> None:
    with pytest.raises(WrongUsage, match=r"is no address|cannot listen on"):
        serving(listen.format(taken=port), (state,), None, str).__enter__()
