from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import git
import pytest

from tests.conftest import Done
from tests.review.repository import Checkout


@pytest.fixture(autouse=True)
def no_forge(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the variables of a CI that runs it."""
    for name in (
        "GITHUB_BASE_REF",
        "CI_MERGE_REQUEST_DIFF_BASE_SHA",
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME",
        "BITBUCKET_PR_DESTINATION_BRANCH",
        "SYSTEM_PULLREQUEST_TARGETBRANCH",
        "CHANGE_TARGET",
        "CI",
        "GITHUB_SERVER_URL",
        "GITHUB_REPOSITORY",
        "CI_PROJECT_URL",
        "BITBUCKET_GIT_HTTP_ORIGIN",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def checkout(
    tmp_path: Path, command: Callable[..., Done], monkeypatch: pytest.MonkeyPatch, clock: Any
) -> Iterator[Checkout]:
    """An empty repository, on its default branch, in which the command line is at work."""
    root = tmp_path / "checkout"
    root.mkdir()
    monkeypatch.chdir(root)
    with git.Repo.init(root, initial_branch="main") as repository:
        with repository.config_writer() as config:
            config.set_value("user", "name", "Sam")
            config.set_value("user", "email", "sam@example.org")
        yield Checkout(root, repository, command)
