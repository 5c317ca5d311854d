"""A repository that is not ours, with the pull request of an event, and GitHub beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import git

from tests.actions.github import GitHub
from tests.actions.runner import Ran, Runner

BEFORE = '  nightly: {task: shop.tasks.nightly, crontab: "0 2 * * *"}\n  gone: {task: t, every: 1h}\n'
AFTER = '  nightly: {task: shop.tasks.nightly, crontab: "*/2 * * * *"}\n'
EVENT = {"event": {"pull_request": {"number": 7}}, "token": "x"}


@dataclass(frozen=True)
class Forge:
    """A checkout of a pull request, and GitHub beside it."""

    root: Path
    repository: git.Repo
    github: GitHub
    environment: dict[str, str]

    def write(self, schedules: str, name: str = "schedules/shop.yaml") -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"version: 1\nschedules:\n{schedules}")

    def commit(self) -> str:
        self.repository.git.add(all=True)
        self.repository.index.commit("change")
        return self.repository.head.commit.hexsha

    def push_from_fork(self, upstream: Path) -> tuple[str, str]:
        """Make the upstream repository, and in it a pull request of a fork; returns its base and its head."""
        self.write(BEFORE)
        base = self.commit()
        with git.Repo.clone_from(self.root.as_uri(), upstream, bare=True) as repository:
            self.repository.git.checkout("-b", "fork")
            self.write(AFTER)
            head = self.commit()
            self.repository.git.push(repository.git_dir, f"{head}:refs/pull/7/head")
            repository.git.config("uploadpack.allowAnySHA1InWant", "true")
        self.repository.git.checkout("main")
        self.repository.git.branch("-D", "fork")
        return base, head

    def runner(self, event: dict[str, Any] | None = None) -> Runner:
        return Runner(self.root, self.environment, EVENT if event is None else event, self.github)

    def run(self, action: str, event: dict[str, Any] | None = None, **inputs: str) -> Ran:
        given = {"install": "false"} | {name.replace("_", "-"): value for name, value in inputs.items()}
        return self.runner(event).action(action, given)
