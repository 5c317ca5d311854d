"""Which commit of which repository a directory of files is at, and whether one commit descends from another."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from schedsync.core.origin import Ancestry, Revision
from schedsync.core.pipeline import pull_request_in
from schedsync.errors import WrongUsage
from schedsync.git.repository import OBJECT_ID, Repository, open_repository
from schedsync.git.work_tree import FilesRead, differing_files

#: A full object id, or the first 58 digits of one, as a recorded commit may have them.
_RECORDED_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{18}(?:[0-9a-f]{6})?)?\Z")
_SCP = re.compile(r"\A(?:[^@/]+@)?(?P<host>[^:/]+):(?P<path>[^/].*)\Z")


def revision(
    paths: Sequence[Path], repository_url: str | None = None, read: FilesRead | None = None, given: str | None = None
) -> Revision:
    """Return the commit, repository and path of the files below some paths; ``read`` are the files that were read.

    Outside a repository, or without Git, the commit is the ``given`` one. Raises WrongUsage where a repository is at
    another commit than that.
    """
    try:
        with open_repository(paths[0]) as repository:
            commit = repository.find("HEAD")
            origin = repository_url or canonical_url(repository.origin() or "")
            dirty = differing_files(repository, commit, paths, read) if commit and read else ()
            found = Revision(commit, origin, repository.inside(paths[0]).as_posix(), dirty)
    except WrongUsage:
        return Revision(given, repository_url)
    _check_given(given, commit)
    return found


def _check_given(given: str | None, commit: str | None) -> None:
    if given is not None and given != commit:
        here = f"at {commit[:12]}" if commit else "without a commit"
        hint = "leave out `--commit` and SCHEDSYNC_COMMIT in a checkout, or check that commit out"
        raise WrongUsage(f"commit {given[:12]} is given, but this checkout is {here}", hint=hint)


def ancestry(path: Path, last: str | None, now: str | None) -> Ancestry:
    """Say whether the commit ``now`` is older than ``last``, or on another branch: it does not descend from it."""
    try:
        with open_repository(path) as repository:
            return ancestry_in(repository, last, now)
    except WrongUsage:
        return Ancestry() if _is_same_or_unknown(last, now) else Ancestry(unknown=True)


def ancestry_in(repository: Repository, last: str | None, now: str | None) -> Ancestry:
    """Say the same of the commits of an open repository."""
    if not last or not now or _is_same_or_unknown(last, now):
        return Ancestry()
    # Both are object ids, as checked above; Git cannot take them for options.
    descends = repository.is_ancestor(last, now)
    if descends is None:
        # The last commit is missing: it was not fetched, or a rewritten history no longer has it.
        return Ancestry(older=not repository.shallow, shallow=repository.shallow)
    return Ancestry(older=not descends)


def _is_same_or_unknown(last: str | None, now: str | None) -> bool:
    if not last or not now or now.startswith(last):
        return True
    return not (_RECORDED_ID.match(last) and OBJECT_ID.match(now))


def pull_request_of(path: Path, commit: str | None) -> str | None:
    """Return the pull request that the message of a commit names; None without a repository, or where it names none."""
    if not commit or not OBJECT_ID.match(commit):
        return None
    try:
        with open_repository(path) as repository:
            return pull_request_in(repository.message(commit))
    except WrongUsage:
        return None


def name_at(path: Path, url: str | None = None) -> str | None:
    """Return the name of the repository that contains a path, None where there is none."""
    try:
        with open_repository(path) as repository:
            return name_of(repository, url)
    except WrongUsage:
        return None


def name_of(repository: Repository, url: str | None = None) -> str:
    """Return the name of a repository for people: its URL without credentials, or its directory without one.

    ``url`` is the one that the configuration gives. A path of this machine is no name: its directory is.
    """
    given = url or repository.origin() or ""
    is_path = given.startswith((".", "/", "~", "file:")) or "\\" in given
    name = None if is_path else canonical_url(given)
    return name or repository.root.name


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
