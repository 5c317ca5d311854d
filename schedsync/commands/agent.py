"""``schedsync agent``: pull what Git says, apply it, and keep the tables so."""

from __future__ import annotations

import hashlib
import logging
import os
import sys
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import click

from schedsync.commands.django import set_up
from schedsync.commands.logs import format_other_lines
from schedsync.commands.options import (
    DatabaseOptions,
    database_options,
    environment_option,
    gather,
    lock_timeout_option,
    option,
    settle_option,
    verb,
)
from schedsync.commands.parameters import Seconds, WholeNumber
from schedsync.commands.publishing import publish, publish_option
from schedsync.core.published import Place
from schedsync.errors import WrongUsage

if TYPE_CHECKING:
    from schedsync.agent.state import State
    from schedsync.git.remote import Remote
    from schedsync.git.signatures import Keys
    from schedsync.usecases.agent import Kept, Turn

_DRIFT = 2
#: Seconds to wait for an apply's lock: shorter than the time that Kubernetes gives a process to end.
_LOCK = 10.0
#: Seconds that what is being told or published has at the end: of the one turn, and of an agent that is stopped.
_PATIENCE, _ENDING = 40.0, 5.0
_file = click.Path(dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class AgentRequest:
    """One call of ``agent``; times are in seconds, ``fetch_size`` is in MiB."""

    repository: str
    branch: str
    tags: str | None
    path: str | None
    environment: str | None
    interval: float
    once: bool
    heal: bool
    allow_rewind: bool
    verify_ssh: Path | None
    verify_gpg: Path | None
    directory: Path | None
    fetch_timeout: float
    fetch_size: int
    listen: str | None
    publish: Place | None
    lock_timeout: float
    settle: float

    def remote(self) -> Remote:
        """Return what is followed; raises WrongUsage."""
        from schedsync.git.remote import Remote

        return Remote(self.repository, self.branch, self.tags)

    def keys(self) -> Keys | None:
        """Return the keys of which one must have signed; raises WrongUsage."""
        from schedsync.git.signatures import Keys

        if self.verify_ssh and self.verify_gpg:
            raise WrongUsage("keys of SSH and of GnuPG were given", hint="give one file of keys")
        if self.verify_gpg:
            return Keys("gpg", self.verify_gpg)
        return Keys("ssh", self.verify_ssh) if self.verify_ssh else None

    def place(self) -> Path:
        """Return the directory of the fetched objects: by default one for each remote, where programs keep state."""
        if self.directory is not None:
            return self.directory
        state = os.environ.get("XDG_STATE_HOME") or str(Path("~/.local/state").expanduser())
        name = hashlib.sha256(f"{self.repository} {self.tags or self.branch}".encode()).hexdigest()[:12]
        return Path(state) / "schedsync" / f"agent-{name}"


@verb("Pull what Git says, apply it, and keep it so.")
@database_options
@gather(
    "request",
    AgentRequest,
    option(
        "--repository", required=True, envvar="SCHEDSYNC_REPOSITORY", metavar="URL",
        help="The remote: by https, ssh, or a path; also SCHEDSYNC_REPOSITORY.",
    ),
    option("--branch", default="main", show_default=True, metavar="NAME", help="The branch to follow."),
    option("--tags", metavar="PATTERN", help="Follow tags instead, such as `v*`: the one of the highest version."),
    option("--path", metavar="DIRECTORY", help="The schedules in the repository, if not as it configures."),
    environment_option,
    option(
        "--interval", type=Seconds(positive=True), default="30s", show_default=True, metavar="DURATION",
        help="How often to ask the remote, and to look for edits by others.",
    ),
    option("--once", is_flag=True, help="Take one turn, and end: exit 2 if edits by others were left."),
    option("--heal", is_flag=True, help="Undo edits by others; without it they are reported."),
    option("--allow-rewind", is_flag=True, help="Follow a branch that was rewound or rewritten."),
    option("--verify-ssh", type=_file, metavar="FILE", help="Apply only what one of these allowed signers has signed."),
    option("--verify-gpg", type=_file, metavar="FILE", help="Apply only what one of these public keys has signed."),
    option("--directory", type=click.Path(file_okay=False, path_type=Path), metavar="PATH",
           help="Where to keep the fetched objects; each agent needs its own."),
    option(
        "--fetch-timeout", type=Seconds(positive=True), default="5m", show_default=True, metavar="DURATION",
        help="How long a fetch may take.",
    ),
    option("--fetch-size", type=WholeNumber(), default=2048, show_default=True, metavar="MIB",
           help="How large the fetched repository may be."),
    option("--listen", metavar="HOST:PORT", help="Serve /live, /ready, /metrics and /hook on this address."),
    publish_option,
    lock_timeout_option,
    settle_option,
)  # fmt: skip
def agent(database: DatabaseOptions, request: AgentRequest) -> int:
    """Fetch a branch or tags of a remote again and again, apply each new commit by the rules of `apply`, and look for
    edits by others.

    It needs no checkout: run it beside Beat. A commit that is broken, refused or not signed changes nothing; the last
    good one is kept. Of several agents on one database, one acts and the others stand by. SIGTERM ends it between two
    transactions.
    """
    remote, keys = request.remote(), request.keys()
    using = set_up(database)
    _log_to_stderr()
    from schedsync.database.environment import named_environment
    from schedsync.usecases.agent import Kept

    path = PurePosixPath(request.path) if request.path else None
    if path is not None and (path.is_absolute() or ".." in path.parts):
        raise WrongUsage(f"`{request.path}` is not within the repository", hint="give a path from its root")
    kept = Kept(
        using, request.environment or named_environment(), path, request.heal, request.allow_rewind, keys,
        request.lock_timeout or _LOCK, request.settle,
    )  # fmt: skip
    return _run(request, remote, kept)


def _run(request: AgentRequest, remote: Remote, kept: Kept) -> int:
    from schedsync.agent.lease import AgentLease
    from schedsync.agent.loop import Loop
    from schedsync.agent.observers import tell
    from schedsync.agent.outside import outside
    from schedsync.agent.reports import Reports
    from schedsync.git.mirror import open_mirror
    from schedsync.usecases.agent import Turns

    logger = logging.getLogger("schedsync.agent")
    if remote.is_open_to_all and kept.keys is None:
        logger.warning(
            "anybody on the way to %s can change what is fetched: use https, ssh or signatures", remote.shown
        )
    publishes = partial(publish, request.publish) if request.publish is not None else None
    with (
        outside([remote], publishes, str(request.publish), _PATIENCE if request.once else _ENDING) as observers,
        open_mirror(remote, request.place(), request.fetch_timeout, request.fetch_size * 2**20) as mirror,
    ):
        turns = Turns(kept, mirror)
        if request.once:
            turn = turns.turn()
            Reports().add(turn)
            tell(observers, turn)
            return _exit_code(turn)
        logger.info("follows %s of %s", remote.followed, remote.shown)
        loop = Loop(turns, AgentLease(kept.using), request.interval, observers=observers)
        with ExitStack() as stack:
            if request.listen is not None:
                port = stack.enter_context(_serving(request.listen, kept.using, loop.state))
                logger.info("listens on port %d", port)
            loop.run()
    return 0


def _serving(listen: str, using: str, state: State) -> AbstractContextManager[int]:
    from schedsync.agent.hook import hook_secret
    from schedsync.agent.server import serving
    from schedsync.monitoring.settings import INSTALL, is_installed

    if not is_installed():
        return serving(listen, state, hook_secret(), lambda: f"# {INSTALL}")
    from schedsync.agent.metrics import metrics_of

    return serving(listen, state, hook_secret(), metrics_of(using, state))


def _exit_code(turn: Turn) -> int:
    error = turn.fetch_problem or turn.problem
    if error is not None:
        return error.exit_code
    return _DRIFT if turn.left or turn.held else 0


def _log_to_stderr() -> None:
    """Write the log lines to stderr if the project's LOGGING writes them nowhere."""
    logger = logging.getLogger("schedsync")
    if logger.hasHandlers():
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    format_other_lines()
