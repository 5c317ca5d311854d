"""Which commit of which repository a directory of files is at, and whether one commit descends from another."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from schedsync.core.origin import Ancestry, Revision
from schedsync.errors import WrongUsage
from schedsync.git.repository import OBJECT_ID, open_repository

_SCP = re.compile(r"\A(?:[^@/]+@)?(?P<host>[^:/]+):(?P<path>[^/].*)\Z")


def revision(path: Path, repository_url: str | None = None) -> Revision:
    """Return the commit, repository and path of a directory; empty if it is in no repository, or without Git."""
    try:
        with open_repository(path) as repository:
            commit = repository.find("HEAD")
            origin = repository_url or canonical_url(repository.origin() or "")
            return Revision(commit, origin, repository.inside(path).as_posix())
    except WrongUsage:
        return Revision(repository=repository_url)


def ancestry(path: Path, last: str | None, now: str | None) -> Ancestry:
    """Say whether the commit ``now`` is older than ``last``, or on another branch: it does not descend from it."""
    if not last or not now or last == now or not (OBJECT_ID.match(last) and OBJECT_ID.match(now)):
        return Ancestry()
    try:
        with open_repository(path) as repository:
            # Both are full object ids, as checked above; Git cannot take them for options.
            descends = repository.is_ancestor(last, now)
            if descends is None:
                # The last commit is missing: it was not fetched, or a rewritten history no longer has it.
                return Ancestry(older=not repository.shallow, shallow=repository.shallow)
            return Ancestry(older=not descends)
    except WrongUsage:
        return Ancestry()


def canonical_url(url: str) -> str | None:
    """Return a repository's URL as ``host/path``, without scheme, credentials and ``.git``; None if it is no URL."""
    if not url:
        return None
    if "://" not in url and (match := _SCP.match(url)):
        url = f"ssh://{match['host']}/{match['path']}"
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
    except ValueError:
        return None
    without_credentials = urlunsplit((parts.scheme, host, parts.path.rstrip("/").removesuffix(".git"), "", ""))
    # The same repository over https and over ssh is one repository.
    return re.sub(r"\A(https?|ssh|git)://", "", without_credentials) or None
