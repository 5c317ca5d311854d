"""``schedsync agent``: pull what Git says, apply it, and keep the tables so."""

from __future__ import annotations

import hashlib
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from schedsync.commands.all_sets import worst
from schedsync.commands.django import set_up
from schedsync.commands.logs import format_other_lines
from schedsync.commands.options import (
    DatabaseOptions,
    database_options,
    environment_option,
    gather,
    is_typed,
    lock_timeout,
    option,
    settle_option,
    verb,
)
from schedsync.commands.parameters import Seconds, WholeNumber
from schedsync.commands.publishing import publish, publish_option
from schedsync.core.published import Place
from schedsync.errors import WrongUsage

if TYPE_CHECKING:
    from schedsync.agent.options import AgentOptions
    from schedsync.agent.state import State
    from schedsync.usecases.agent import Turn

_DRIFT = 2
#: Seconds that what is being told or published has at the end: of the one turn, and of an agent that is stopped.
_PATIENCE, _ENDING = 40.0, 5.0
_file = click.Path(dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class AgentRequest:
    """One call of ``agent``; times are in seconds, ``fetch_size`` is in MiB.

    With ``config`` all else but ``once`` comes from that file.
    """

    config: Path | None
    repository: str | None
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

    def check(self) -> None:
        """Raise WrongUsage where it is not said what to follow, or by a flag and by a file."""
        if self.config is None and self.repository is None:
            raise WrongUsage("it is not said what to follow", hint="give `--repository URL`, or `--config FILE`")
        names = [field.name for field in fields(self) if field.name not in ("config", "once")]
        given = [name for name in [*names, "database"] if self.config is not None and is_typed(name)]
        if given:
            flags = ", ".join(f"`--{name.replace('_', '-')}`" for name in given)
            raise WrongUsage(f"{flags} cannot be combined with `--config`", hint="write it into the file")

    def options(self, using: str) -> AgentOptions:
        """Return what is followed; raises WrongUsage, or InvalidConfiguration for the file."""
        from schedsync.agent.configuration import Surroundings, read_agent_file
        from schedsync.agent.options import AgentOptions, FollowOptions, keys_in, path_in_repository
        from schedsync.database.environment import named_environment
        from schedsync.git.remote import Remote

        environment = self.environment or named_environment()
        if self.config is not None:
            from django.conf import settings

            return read_agent_file(self.config, Surroundings(tuple(settings.DATABASES), using, environment, _state()))
        remote = Remote(self.repository or "", self.branch, self.tags)
        follow = FollowOptions(
            remote, using, self._place(),
            path=path_in_repository(self.path), environment=environment, heal=self.heal,
            allow_rewind=self.allow_rewind, keys=keys_in(self.verify_ssh, self.verify_gpg), interval=self.interval,
            fetch_timeout=self.fetch_timeout, fetch_size=self.fetch_size, lock_timeout=self.lock_timeout,
            settle=self.settle, publish=self.publish,
        )  # fmt: skip
        return AgentOptions((follow,), self.listen)

    def _place(self) -> Path:
        """Return the directory of the fetched objects: by default one for each remote."""
        if self.directory is not None:
            return self.directory
        name = hashlib.sha256(f"{self.repository} {self.tags or self.branch}".encode()).hexdigest()[:12]
        return _state() / f"agent-{name}"


def _state() -> Path:
    """Return where programs keep their state."""
    return Path(os.environ.get("XDG_STATE_HOME") or str(Path("~/.local/state").expanduser())) / "schedsync"


@verb("Pull what Git says, apply it, and keep it so.")
@database_options
@gather(
    "request",
    AgentRequest,
    option(
        "--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
        help="Follow what this file names: several repositories, sets, environments and databases.",
    ),
    option(
        "--repository", envvar="SCHEDSYNC_REPOSITORY", metavar="URL",
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
    # Shorter than the time that Kubernetes gives a process to end.
    lock_timeout("10s"),
    settle_option,
)  # fmt: skip
def agent(database: DatabaseOptions, request: AgentRequest) -> int:
    """Fetch a branch or tags of a remote again and again, apply each new commit by the rules of `apply`, and look for
    edits by others.

    It needs no checkout: run it beside Beat. A commit that is broken, refused or not signed changes nothing; the last
    good one is kept. Of several agents on one database, one acts and the others stand by. SIGTERM ends it between two
    transactions. With --config one agent follows several remotes, and one that is broken hides no other.
    """
    request.check()
    using = set_up(database)
    _log_to_stderr()
    options = request.options(using)
    from schedsync.agent.drift_alarms import tell_left
    from schedsync.agent.first_runs import observe
    from schedsync.agent.outside import outside
    from schedsync.agent.start import run, turn_once

    with outside(options.follows, publish, _PATIENCE if request.once else _ENDING) as others:
        observers = (observe, tell_left, *others)
        if request.once:
            return worst(map(_exit_code, turn_once(options, observers)))
        serving = partial(_serving, options.listen, options.databases) if options.listen is not None else None
        run(options, serving, observers)
    return 0


def _serving(listen: str, databases: Sequence[str], states: Sequence[State]) -> AbstractContextManager[int]:
    from schedsync.agent.hook import hook_secret
    from schedsync.agent.server import serving
    from schedsync.monitoring.settings import INSTALL, is_installed

    if not is_installed():
        return serving(listen, states, hook_secret(), lambda: f"# {INSTALL}")
    from schedsync.agent.metrics import metrics_of

    using = databases[0] if len(databases) == 1 else None
    return serving(listen, states, hook_secret(), metrics_of(using, states))


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
