"""What an agent follows, and how: what its flags say, or its configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from schedsync.core.published import Place
from schedsync.errors import WrongUsage
from schedsync.git.remote import Remote
from schedsync.git.signatures import Keys
from schedsync.usecases.follow_logger import DEFAULT


@dataclass(frozen=True, slots=True)
class FollowOptions:
    """One follow; times are in seconds, ``fetch_size`` is in MiB.

    ``using`` is an alias of DATABASES. ``directory`` holds the fetched objects. ``set`` is the name that the set must
    have, None for any; ``path`` is where it is in the repository, None for what the repository configures.
    ``publish`` is where its snapshots go, None for nowhere.
    """

    remote: Remote
    using: str
    directory: Path
    name: str = DEFAULT
    path: PurePosixPath | None = None
    environment: str | None = None
    set: str | None = None
    heal: bool = False
    allow_rewind: bool = False
    keys: Keys | None = None
    interval: float = 30.0
    fetch_timeout: float = 300.0
    fetch_size: int = 2048
    lock_timeout: float = 10.0
    settle: float = 6.0
    publish: Place | None = None


@dataclass(frozen=True, slots=True)
class AgentOptions:
    """All that one agent follows, and the address that it serves its probes on, or None."""

    follows: Sequence[FollowOptions]
    listen: str | None = None

    @property
    def databases(self) -> tuple[str, ...]:
        """The aliases of the databases, each once, in the order of the follows."""
        return tuple(dict.fromkeys(follow.using for follow in self.follows))


def path_in_repository(path: str | None) -> PurePosixPath | None:
    """Return a path within the repository; raises WrongUsage for one that leads out of it."""
    found = PurePosixPath(path) if path else None
    if found is not None and (found.is_absolute() or ".." in found.parts):
        raise WrongUsage(f"`{path}` is not within the repository", hint="give a path from its root")
    return found


def keys_in(ssh: Path | None, gpg: Path | None) -> Keys | None:
    """Return the keys of which one must have signed, None for no file; raises WrongUsage for two, or a bad one."""
    if ssh and gpg:
        raise WrongUsage("keys of SSH and of GnuPG were given", hint="give one file of keys")
    if gpg:
        return Keys("gpg", gpg)
    return Keys("ssh", ssh) if ssh else None
