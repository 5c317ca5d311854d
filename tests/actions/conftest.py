"""Fixtures: a repository beside a stand-in for GitHub, and the database of the example project."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import git
import pytest

from tests.actions.forge import AFTER, BEFORE, Forge
from tests.actions.github import GitHub, serving
from tests.actions.runner import ROOT, environment_of


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[Forge]:
    root = tmp_path / "shop"
    root.mkdir()
    github = GitHub()
    with git.Repo.init(root, initial_branch="main") as repository, serving(github, tmp_path) as environment:
        with repository.config_writer() as config:
            config.set_value("user", "name", "Sam")
            config.set_value("user", "email", "sam@example.org")
        yield Forge(root, repository, github, environment_of(tmp_path) | environment)


@pytest.fixture
def pull_request(forge: Forge) -> Forge:
    """A branch with a change, checked out."""
    forge.write(BEFORE)
    forge.commit()
    forge.repository.git.checkout("-b", "feature")
    forge.write(AFTER)
    forge.commit()
    return forge


@pytest.fixture
def database(forge: Forge, tmp_path: Path) -> dict[str, str]:
    """The example project's database, migrated; returns the inputs that name it."""
    data = tmp_path / "data"
    data.mkdir()
    forge.environment.update(PYTHONPATH=str(ROOT / "examples/shop"), SHOP_DATA=str(data))
    command = [sys.executable, str(ROOT / "examples/shop/manage.py")]
    subprocess.run([*command, "migrate", "--verbosity", "0"], env=forge.environment, check=True)
    return {"settings": "shop.settings"}
