"""Which commit of which repository a directory of files is at, and whether one commit descends from another."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from schedsync.core.origin import Ancestry, Revision
from schedsync.errors import WrongUsage
from schedsync.git.repository import OBJECT_ID, open_repository

_SCP = re.compile(r"(?:[^@/]+@)?(?P<host>[^:/]+):(?P<path>[^/].*)\Z")


def revision(path: Path, repository_url: str | None = None) -> Revision:
    """Return where a directory comes from; empty where it lies in no repository, or Git is not installed."""
    try:
        with open_repository(path) as repository:
            commit = repository.find("HEAD")
            origin = repository_url or canonical_url(repository.origin() or "")
            return Revision(commit, origin, repository.inside(path).as_posix())
    except WrongUsage:
        return Revision(repository=repository_url)


def ancestry(path: Path, last: str | None, now: str | None) -> Ancestry:
    """Say whether the commit ``now`` fails to descend from ``last``."""
    if not last or not now or last == now or not (OBJECT_ID.match(last) and OBJECT_ID.match(now)):
        return Ancestry()
    try:
        with open_repository(path) as repository:
            # Checked above: both are full object ids, and cannot be read as options.
            known = repository.is_ancestor(last, now)
            if known is None:
                # The last commit is not here: not fetched, or gone with a rewritten history.
                return Ancestry(older=not repository.shallow, shallow=repository.shallow)
            return Ancestry(older=not known)
    except WrongUsage:
        return Ancestry()


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
