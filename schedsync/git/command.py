"""The command `git` by GitPython, with the settings that each call needs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from schedsync.errors import Unavailable, WrongUsage

if TYPE_CHECKING:
    import git

#: The first version that reads settings from variables.
_OLDEST = (2, 31)
#: The variables by which a process leads Git to a repository; a hook of Git, for example, has some of them.
_OF_A_REPOSITORY = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_ATTR_SOURCE", "GIT_COMMON_DIR", "GIT_CONFIG", "GIT_CONFIG_PARAMETERS",
    "GIT_DEFAULT_HASH", "GIT_DEFAULT_REF_FORMAT", "GIT_DIR", "GIT_GRAFT_FILE", "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE", "GIT_NAMESPACE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE", "GIT_SHALLOW_FILE", "GIT_TEMPLATE_DIR", "GIT_WORK_TREE",
)  # fmt: skip


def require_git(hint: str) -> None:
    """Raise WrongUsage if Git is not installed; a `git` in the working directory is not it."""
    program = shutil.which("git")
    if program is None or not Path(program).is_absolute():
        raise WrongUsage("Git is not installed", hint=hint)


def require_version(command: git.Git, hint: str) -> None:
    """Raise WrongUsage if Git is older than 2.31: it would not see the settings in our variables."""
    if command.version_info < _OLDEST:
        version = ".".join(map(str, command.version_info))
        raise WrongUsage(f"Git {version} is too old, 2.31 is needed", hint=hint)


def command_in(directory: Path, variables: Mapping[str, str]) -> git.Git:
    """Return the command `git`, run in a directory with these variables."""
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    import git

    command = git.Git(str(directory))
    command.update_environment(**variables)
    return command


def settings_in_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return variables with settings of Git, numbered after those that the caller's environment already has."""
    given = os.environ.get("GIT_CONFIG_COUNT", "")
    first = int(given) if given.isdecimal() else 0
    variables = {"GIT_CONFIG_COUNT": str(first + len(settings))}
    for number, (name, value) in enumerate(settings.items(), first):
        variables |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return variables


@contextmanager
def without_variables_of_a_repository() -> Iterator[None]:
    """Take the variables that lead Git to another repository out of the process's environment, in the block."""
    taken = {name: os.environ.pop(name) for name in _OF_A_REPOSITORY if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(taken)


@contextmanager
def faults_of_the_host(doing: str) -> Iterator[None]:
    """Turn what a full disk or a host without processes or memory raises into Unavailable: "cannot <doing>: why"."""
    import git

    try:
        yield
    except (OSError, git.exc.CommandError) as error:
        # Not its whole text: that has the command line, with the address.
        reason = str(getattr(error, "stderr", None) or getattr(error, "strerror", None) or "Git failed")
        raise Unavailable(f"cannot {doing}: {' '.join(reason.split())[:300]}", hint="it is tried again") from error
