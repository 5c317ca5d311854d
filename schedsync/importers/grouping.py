"""Which schedules belong together: those of one application, or those of one queue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Any, Literal

from schedsync.core.names import natural_order
from schedsync.core.observed import Typed
from schedsync.core.schedule import Spec
from schedsync.importers.draft import Draft

By = Literal["app", "queue", "file"]
#: The last part of a file's name, and the number of characters before it.
_SUFFIX, _LONGEST = ".yaml", 60
#: The name of the file where there is only one.
ONE_FILE = "schedules.yaml"
_OTHER = "other"
#: The number of schedules up to which one file is enough.
FEW = 20


class Grouping:
    """Says which group each of some schedules belongs to: the title, and the name of the file."""

    def __init__(self, drafts: Sequence[Draft], by: By) -> None:
        self.by = by
        packages = [_package(draft.spec.task) for draft in drafts]
        self.common = len(list(takewhile(lambda parts: len(set(parts)) == 1, zip(*packages, strict=False))))

    def title(self, spec: Spec | Typed) -> str:
        """Return the title of the group of a schedule; empty where all are together."""
        if self.by == "queue":
            return spec.queue or "no queue"
        return self._app(spec.task) if self.by == "app" else ""

    def file(self, spec: Spec | Typed) -> str:
        """Return the name of the file of a schedule; two titles with one name share a file."""
        return ONE_FILE if self.by == "file" else _file_name(self.title(spec))

    def _app(self, task: str) -> str:
        """Return the application of a task: the first part of its path in which not all of them agree."""
        parts = _package(task)
        return parts[min(self.common, len(parts) - 1)]

    def sections(self, drafts: Sequence[Draft]) -> dict[str, list[Draft]]:
        """Return schedules by the titles of their groups, both in the order of their names."""

        def place(draft: Draft) -> tuple[str, Any]:
            return self.title(draft.spec), natural_order(draft.name)

        return _collected(sorted(drafts, key=place), self.title)

    def files(self, drafts: Sequence[Draft]) -> dict[str, list[Draft]]:
        """Return schedules by the names of their files, in order."""
        return dict(sorted(_collected(drafts, self.file).items()))


def _collected(drafts: Sequence[Draft], key: Callable[[Spec], str]) -> dict[str, list[Draft]]:
    groups: dict[str, list[Draft]] = {}
    for draft in drafts:
        groups.setdefault(key(draft.spec), []).append(draft)
    return groups


def _package(task: str) -> list[str]:
    """Return the path of a task without its name, and without the module `tasks`."""
    parts = [part for part in task.split(".")[:-1] if part]
    kept = [part for part in parts if part != "tasks"]
    return kept or parts or [_OTHER]


def _file_name(title: str) -> str:
    plain = (character if character.isalnum() and character.isascii() else "_" for character in title.lower())
    name = "-".join("".join(plain).replace("_", " ").split())[:_LONGEST]
    return f"{name or _OTHER}{_SUFFIX}"
