"""Which commits of a remote an agent may apply: those that descend from the last good one, and are signed if asked."""

from __future__ import annotations

from collections.abc import Callable

from schedsync.core.refusal import Refusal
from schedsync.errors import CommitRefused, Refused
from schedsync.git.command import faults_of_the_host
from schedsync.git.mirror import Followed, Mirror
from schedsync.git.signatures import Keys, check_signature


def next_commit(
    mirror: Mirror, keys: Keys | None, *, allow_rewind: bool, stop: Callable[[], bool] = lambda: False
) -> Followed:
    """Fetch, and return what is to be applied next, which may be what was applied last.

    Raises CommitRefused for one that does not descend from the last good one, unless ``allow_rewind``, and for one that
    no key of ``keys`` has signed; what ``Mirror.fetch`` raises where the remote has nothing to give; Unavailable where
    the host has no disk, memory or processes left.
    """
    with faults_of_the_host(f"fetch {mirror.remote.followed} of {mirror.remote.shown}"):
        return _next_commit(mirror, keys, stop, allow_rewind=allow_rewind)


def _next_commit(mirror: Mirror, keys: Keys | None, stop: Callable[[], bool], *, allow_rewind: bool) -> Followed:
    found = mirror.fetch(stop)
    last = mirror.applied
    if last is not None and not allow_rewind and not mirror.repository.is_ancestor(last, found.commit):
        message = f"{found.name} is at {found.commit[:12]}, which does not descend from {last[:12]}"
        refusal = Refusal("rewound", message, "push the commits again, or allow it once by `--allow-rewind`")
        raise CommitRefused([refusal], found.commit)
    if keys is not None:
        try:
            check_signature(mirror, found, keys)
        except Refused as error:
            raise CommitRefused(error.refusals, found.commit) from error
    return found


def may_follow(mirror: Mirror, commit: str, head: str, keys: Keys | None, *, allow_rewind: bool) -> bool:
    """Say whether a commit may be kept as the last good one while the remote is at ``head``; both are ids.

    It must have been fetched, lie between the last good commit and ``head`` unless ``allow_rewind``, and be signed as
    the head has to be. Raises Unavailable where the host has no disk, memory or processes left, and WrongUsage if the
    file of keys has no usable one.
    """
    with faults_of_the_host(f"look for commit {commit[:12]}"):
        repository, last = mirror.repository, mirror.applied
        if repository.find(commit) != commit:
            return False
        lies_between = (last is None or repository.is_ancestor(last, commit)) and repository.is_ancestor(commit, head)
        if not (allow_rewind or lies_between):
            return False
        return keys is None or any(_is_signed(mirror, found, keys) for found in mirror.names_of(commit))


def _is_signed(mirror: Mirror, found: Followed, keys: Keys) -> bool:
    try:
        check_signature(mirror, found, keys)
    except Refused:
        return False
    return True
