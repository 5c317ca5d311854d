"""The command `git` by GitPython, with the settings that each call needs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from schedsync.errors import WrongUsage

if TYPE_CHECKING:
    import git


def require_git(hint: str) -> None:
    """Raise WrongUsage if Git is not installed; a `git` in the working directory is not it."""
    program = shutil.which("git")
    if program is None or not Path(program).is_absolute():
        raise WrongUsage("Git is not installed", hint=hint)


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
