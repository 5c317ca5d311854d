"""A real Git repository with schedules, and the review of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import git

from tests.conftest import Done


@dataclass(frozen=True)
class Checkout:
    """A work tree, and the command line in it."""

    root: Path
    repository: git.Repo
    command: Callable[..., Done]

    def write(self, text: str, name: str = "schedules/shop.yaml") -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def schedules(self, schedules: str, name: str = "schedules/shop.yaml") -> None:
        self.write(f"version: 1\nschedules:\n{schedules}" if schedules else "version: 1\n", name)

    def commit(self, message: str = "change") -> str:
        self.repository.git.add(all=True)
        self.repository.index.commit(message)
        return self.repository.head.commit.hexsha

    def branch(self, name: str = "feature") -> None:
        self.repository.git.checkout("-b", name)

    def review(self, *words: str) -> Done:
        return self.command("review", *words)

    def json(self, *words: str) -> dict[str, Any]:
        done = self.command("review", "--format", "json", *words)
        said: dict[str, Any] = json.loads(done.out)
        return said


def changes(said: dict[str, Any], number: int = 0) -> list[tuple[str, str, dict[str, tuple[Any, Any]]]]:
    """Return the changes of one environment as kind, name and fields."""
    return [
        (one["kind"], one["name"], {field["field"]: (field["before"], field["after"]) for field in one["fields"]})
        for one in said["environments"][number]["changes"]
    ]


def codes(said: dict[str, Any], *, new: bool = True) -> list[str]:
    """Return the codes of the findings that are new, or that are not."""
    return [one["code"] for one in said["findings"] if one["new"] is new]
