"""Which commit of which repository a directory of files is at, read with GitPython.

No value from outside becomes an option, a ref or a URL: the only thing asked about a commit is whether one descends
from another, and both have to look like full object ids first.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

if TYPE_CHECKING:
    import git

_OBJECT_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_SCP = re.compile(r"(?:[^@/]+@)?(?P<host>[^:/]+):(?P<path>[^/].*)\Z")


@dataclass(frozen=True, slots=True)
class Revision:
    """Where files come from: the commit, the repository's URL without credentials, and the path within it."""

    commit: str | None = None
    repository: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Ancestry:
    """Whether one commit descends from another; ``shallow`` where the clone is too shallow to tell."""

    older: bool = False
    shallow: bool = False


def revision(path: Path, repository_url: str | None = None) -> Revision:
    """Return where a directory comes from; empty where it lies in no repository, or Git is not installed."""
    with _repository(path) as repository:
        if repository is None:
            return Revision(repository=repository_url)
        root = Path(repository.working_tree_dir or path)
        inside = path.resolve()
        shown = inside.relative_to(root.resolve()).as_posix() if inside.is_relative_to(root.resolve()) else None
        commit = repository.head.commit.hexsha if repository.head.is_valid() else None
        return Revision(commit, repository_url or _origin(repository), shown)


def ancestry(path: Path, last: str | None, now: str | None) -> Ancestry:
    """Say whether the commit ``now`` fails to descend from ``last``."""
    if not last or not now or last == now or not (_OBJECT_ID.match(last) and _OBJECT_ID.match(now)):
        return Ancestry()
    from git.exc import GitCommandError

    with _repository(path) as repository:
        if repository is None:
            return Ancestry()
        try:
            # Checked above: both are full object ids, and cannot be read as options.
            return Ancestry(older=not repository.is_ancestor(repository.commit(last), repository.commit(now)))
        except (GitCommandError, ValueError):
            # The last commit is not here: not fetched, or gone with a rewritten history.
            shallow = (Path(repository.common_dir) / "shallow").exists()
            return Ancestry(older=not shallow, shallow=shallow)


@contextmanager
def _repository(path: Path) -> Iterator[git.Repo | None]:
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    try:
        import git
    except ImportError:
        yield None
        return
    start = path if path.is_dir() else path.parent
    try:
        repository = git.Repo(start.resolve(), search_parent_directories=True)
    except (git.exc.GitError, OSError, ValueError):
        yield None
        return
    with repository:
        yield repository


def _origin(repository: git.Repo) -> str | None:
    names = [remote.name for remote in repository.remotes]
    if not names:
        return None
    remote = repository.remote("origin" if "origin" in names else names[0])
    return canonical_url(next(iter(remote.urls), ""))


def canonical_url(url: str) -> str | None:
    """Return one spelling for a repository's URL: no credentials, no ``.git``, ``host:path`` as ``ssh://``."""
    if not url:
        return None
    if "://" not in url and (match := _SCP.match(url)):
        url = f"ssh://{match['host']}/{match['path']}"
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
    except ValueError:
        return None
    clean = urlunsplit((parts.scheme, host, parts.path.rstrip("/").removesuffix(".git"), "", ""))
    # The same repository over https and over ssh is one repository.
    return re.sub(r"\A(https?|ssh|git)://", "", clean) or None
