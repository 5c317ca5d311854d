"""Which commit of a remote is next: one that descends from the last good one, and is signed where that is asked."""

from __future__ import annotations

from collections.abc import Callable

from schedsync.core.refusal import Refusal
from schedsync.errors import Refused
from schedsync.git.command import faults_of_the_host
from schedsync.git.mirror import Followed, Mirror
from schedsync.git.signatures import Keys, check_signature


def next_commit(
    mirror: Mirror, keys: Keys | None, *, allow_rewind: bool, stop: Callable[[], bool] = lambda: False
) -> Followed:
    """Fetch, and return what is to be applied next, which may be what was applied last.

    Raises Refused for a commit that does not descend from the last good one, unless ``allow_rewind``, and for one that
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
        raise Refused([Refusal("rewound", message, "push the commits again, or allow it once by `--allow-rewind`")])
    if keys is not None:
        check_signature(mirror, found, keys)
    return found
