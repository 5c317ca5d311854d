"""What a forge must do: show the status of a commit, and a comment on the pull request that brought it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from schedsync.core.commit_report import State
from schedsync.http.errors import ServiceError

if TYPE_CHECKING:
    from schedsync.http.client import Client

#: In characters: GitHub refuses a longer one.
LONGEST_DESCRIPTION = 140
#: 100 comments a page.
MOST_PAGES = 20


@dataclass(frozen=True, slots=True)
class Status:
    """The status of a commit: ``context`` tells it from those of other programs, ``url`` is where its link leads."""

    context: str
    state: State
    description: str
    url: str | None = None


class Forge(Protocol):
    """One repository at a forge, with a token. Methods raise ServiceError."""

    client: Client

    @property
    def name(self) -> str:
        """The word for it in log lines."""
        ...

    def status(self, commit: str, context: str) -> tuple[str, str] | None:
        """Return the state and the description that a commit has in a context; None if it has none."""
        ...

    def set_status(self, commit: str, status: Status, branch: str) -> None:
        """Give a commit a status; ``branch`` is where it was followed, empty if that is not known."""
        ...

    def merged(self, commit: str, branch: str) -> int | None:
        """Return the number of the pull request whose merge into a branch made the commit; None if there is none.

        An empty branch is any. A pull request from a fork, or one that is still open, is none.
        """
        ...

    def comment(self, number: int, marker: str, text: str, *, makes: bool = True) -> None:
        """Bring our comment on a pull request, which has the marker, to this text; makes it only if it ``makes``."""
        ...


def objects(data: Any) -> list[dict[str, Any]]:
    """Return a JSON list of objects; raises ServiceError for anything else."""
    if not isinstance(data, list) or not all(isinstance(each, dict) for each in data):
        raise ServiceError("its answer is no list of objects")
    return data


def number_of(value: dict[str, Any], key: str) -> int:
    """Return a number of a JSON object; raises ServiceError where it is none, because it becomes part of a path."""
    found = value.get(key)
    if not isinstance(found, int) or isinstance(found, bool) or not 0 < found < 2**63:
        raise ServiceError(f"its answer has no {key}")
    return found


def inner(value: Any, *keys: str) -> Any:
    """Return the value at the end of keys of JSON objects; None where one of them is missing."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
