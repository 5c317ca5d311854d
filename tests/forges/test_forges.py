"""GitHub and GitLab as the documentation of their APIs says, and what they may do to the one that asks."""

from __future__ import annotations

from typing import Any

import pytest

from schedsync.errors import WrongUsage
from schedsync.forges.forge import Forge, Status
from schedsync.forges.settings import forge_of, report_url
from schedsync.http.errors import ServiceAway, ServiceError
from tests.forges import servers
from tests.monitors.servers import CANARY

COMMIT, OTHER = "a" * 40, "b" * 40
MARKER = "<!-- schedsync report 0123456789abcdef -->"
DONE = Status("schedsync/production", "success", "applied: 1 created", "https://shop.example.org/admin")


def test_a_status_is_shown_with_its_words_and_its_link(forge: Forge, server: servers.Forge) -> None:
    assert forge.status(COMMIT, DONE.context) is None
    forge.set_status(COMMIT, Status(DONE.context, "pending", "a freeze"), "main")
    forge.set_status(COMMIT, Status("schedsync/staging", "failure", "broken"), "main")
    forge.set_status(COMMIT, DONE, "main")

    assert forge.status(COMMIT, DONE.context) == ("success", DONE.description)
    assert forge.status(COMMIT, "schedsync/staging") == ("failure", "broken")
    assert forge.status(OTHER, DONE.context) is None
    assert server.statuses[COMMIT][0]["target_url"] == DONE.url


def test_what_is_pending_can_be_said_again(forge: Forge, server: servers.Forge) -> None:
    """GitLab would answer that a status cannot go from pending to pending."""
    for text in ("a freeze", "another one"):
        forge.set_status(COMMIT, Status(DONE.context, "pending", text), "main")

    assert {state for state, _ in server.states(COMMIT)} == {"pending"}


def test_there_is_one_comment_whatever_is_said(forge: Forge, server: servers.Forge) -> None:
    server.pull(4, COMMIT)
    for text in ("first", "second", "second"):
        forge.comment(4, MARKER, text)

    assert server.texts(4) == [f"{MARKER}\nsecond"]
    assert sum(not line.startswith("GET") for line in server.asked) == 2


def test_a_comment_with_our_marker_by_somebody_else_is_not_touched(forge: Forge, server: servers.Forge) -> None:
    server.written(4, f"{MARKER}\nfake", "mallory the copier")
    for text in ("first", "second"):
        forge.comment(4, MARKER, text)

    assert server.texts(4) == [f"{MARKER}\nfake", f"{MARKER}\nsecond"]


def test_our_comment_is_found_behind_hundreds_of_others(forge: Forge, server: servers.Forge) -> None:
    for number in range(2 * servers.PAGE):
        server.written(4, f"looks good {number}", "sam")
    for text in ("first", "second"):
        forge.comment(4, MARKER, text)

    assert server.texts(4)[2 * servers.PAGE :] == [f"{MARKER}\nsecond"]


def test_nothing_to_say_makes_no_comment_but_corrects_one(forge: Forge, server: servers.Forge) -> None:
    forge.comment(4, MARKER, "applied", makes=False)
    assert server.texts(4) == []
    forge.comment(4, MARKER, "refused")
    forge.comment(4, MARKER, "applied", makes=False)

    assert server.texts(4) == [f"{MARKER}\napplied"]


NOT_OURS: dict[str, dict[str, dict[str, Any]]] = {
    "github": {
        "open": {"merged_at": None},
        "of a fork": {"head": {"ref": "topic", "repo": {"full_name": "mallory/shop"}}},
        "of a fork that is gone": {"head": {"ref": "topic", "repo": None}},
        "in a fork": {
            "base": {"ref": "main", "repo": {"full_name": "mallory/shop"}},
            "head": {"ref": "topic", "repo": {"full_name": "mallory/shop"}},
        },
        "into another branch": {"base": {"ref": "next", "repo": {"full_name": servers.REPOSITORY}}},
        "merged as another commit": {"merge_commit_sha": OTHER},
    },
    "gitlab": {
        "open": {"state": "opened"},
        "of a fork": {"source_project_id": 8},
        "into another branch": {"target_branch": "next"},
        "merged as another commit": {"merge_commit_sha": OTHER},
    },
}


def test_only_the_pull_request_that_was_merged_as_the_commit_gets_a_comment(
    forge: Forge, server: servers.Forge
) -> None:
    assert forge.merged(COMMIT, "main") is None
    for number, values in enumerate(NOT_OURS[forge.name].values(), 10):
        server.pull(number, COMMIT, **values)
    assert forge.merged(COMMIT, "main") is None
    server.pull(4, COMMIT)

    assert (forge.merged(COMMIT, "main"), forge.merged(OTHER, "main")) == (4, None)


def test_an_app_that_may_not_ask_who_it_is_finds_its_comment(
    settings: Any, server: servers.Forge, forge: Forge
) -> None:
    if forge.name != "github":
        pytest.skip("only GitHub's apps are no users")
    server.me = None
    for text in ("first", "second"):
        forge.comment(4, MARKER, text)

    assert server.texts(4) == [f"{MARKER}\nsecond"]


@pytest.mark.parametrize("fault", [None, 401, 403, 404, 429, 500, "<html>", "[1]", '{"statuses": 1}', "[" * 100_000])
def test_a_forge_that_fails_is_an_error_without_the_token(
    forge: Forge, server: servers.Forge, fault: int | str | None
) -> None:
    server.always = fault
    for ask in (
        lambda: forge.status(COMMIT, DONE.context),
        lambda: forge.merged(COMMIT, "main"),
        lambda: forge.comment(4, MARKER, "text"),
    ):
        with pytest.raises(ServiceError) as caught:
            ask()
        assert CANARY not in str(caught.value)
        if not isinstance(fault, str):
            assert isinstance(caught.value, ServiceAway) == (fault in (None, 401, 403, 429, 500))


def test_an_id_that_is_no_number_gets_into_no_path(forge: Forge, server: servers.Forge) -> None:
    key = {"github": "number", "gitlab": "iid"}[forge.name]
    server.pull(4, COMMIT)
    server.pulls[4][key] = "4/../../user"
    with pytest.raises(ServiceError, match=f"its answer has no {key}"):
        forge.merged(COMMIT, "main")


@pytest.mark.parametrize(
    ("place", "address"),
    [
        ("github.com/acme/shop", "https://github.com/acme/shop"),
        ("ssh.github.com/acme/shop", "https://github.com/acme/shop"),
        ("gitlab.com/acme/shop", None),
        ("git.example.org/team/one/shop", "https://git.example.org/lab/team/one/shop"),
        ("git.example.org/lab/team/shop", "https://git.example.org/lab/team/shop"),
        ("git.example.org:8443/team/shop", None),
        ("github.com.example.org/acme/shop", None),
        ("example.org/github.com/acme", None),
        ("github.com@example.org/acme/shop", None),
        ("github.com/acme", None),
        ("github.com/acme/../user", None),
        ("github.com/acme/shop?x=1", None),
        ("", None),
    ],
)
def test_a_token_is_only_for_the_host_of_its_forge(settings: Any, place: str, address: str | None) -> None:
    settings.SCHEDSYNC_GITHUB_TOKEN = settings.SCHEDSYNC_GITLAB_TOKEN = CANARY
    settings.SCHEDSYNC_GITLAB_URL = "https://git.example.org/lab/"
    found = forge_of(place)

    assert (found and found[1]) == address
    if found is not None:
        api = "https://api.github.com" if "github" in place else "https://git.example.org/lab/api/v4"
        assert found[0].client.url == api


def test_without_a_token_nothing_is_told(settings: Any) -> None:
    assert forge_of("github.com/acme/shop") is None
    settings.SCHEDSYNC_GITLAB_TOKEN = CANARY

    assert forge_of("github.com/acme/shop") is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SCHEDSYNC_GITHUB_TOKEN", f"{CANARY}\nX-Other: 1"),
        ("SCHEDSYNC_GITHUB_TOKEN", "short"),
        ("SCHEDSYNC_GITHUB_URL", "http://git.example.org"),
        ("SCHEDSYNC_GITHUB_URL", f"https://me:{CANARY}@git.example.org"),
        ("SCHEDSYNC_REPORT_URL", "javascript:alert(1)"),
    ],
)
def test_a_setting_that_is_wrong_is_an_error_without_its_value(settings: Any, name: str, value: str) -> None:
    settings.SCHEDSYNC_GITHUB_TOKEN = CANARY
    setattr(settings, name, value)
    with pytest.raises(WrongUsage, match=name) as caught:
        (report_url(), forge_of("github.com/acme/shop"))

    assert CANARY not in str(caught.value)


def test_a_variable_of_the_environment_goes_before_the_setting(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.SCHEDSYNC_GITHUB_TOKEN = "of-the-settings"
    monkeypatch.setenv("SCHEDSYNC_GITHUB_TOKEN", CANARY)
    found = forge_of("github.com/acme/shop")

    assert found is not None
    assert found[0].client.headers == {"Authorization": f"Bearer {CANARY}"}
