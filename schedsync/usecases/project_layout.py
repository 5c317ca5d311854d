"""Finds out where the files of a project belong, and which CI its repository uses; needs no Django."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from schedsync.config import DEFAULT_PATH
from schedsync.core.setup import Ci, Layout
from schedsync.errors import SchedsyncError
from schedsync.git.origin import canonical_url
from schedsync.git.repository import open_repository, root_of

#: The directory of the schedules where `schedules` is a package of the project.
_OTHER_PATH: Final = "beat-schedules"


def layout_here() -> Layout:
    """Return where the files of the project belong: configuration and schedules into the working directory."""
    here = Path.cwd().resolve()
    root = root_of(Path()) or here
    project = here.relative_to(root).as_posix()
    schedules = _OTHER_PATH if Path(DEFAULT_PATH, "__init__.py").exists() else DEFAULT_PATH
    return Layout(Path(os.path.relpath(root, here)), "" if project == "." else project, schedules)


def ci_of(root: Path | None) -> Ci | None:
    """Return the kind of CI that a repository uses: by its files, else by the host of its remote, or None."""
    if root is None:
        return None
    github, gitlab = (root / ".github").is_dir(), (root / ".gitlab-ci.yml").is_file()
    if github != gitlab:
        return "github" if github else "gitlab"
    host = (remote_of(root) or "").partition("/")[0].lower()
    if "gitlab" in host:
        return "gitlab"
    return "github" if github or "github" in host else None


def remote_of(root: Path | None) -> str | None:
    """Return the remote of a repository as ``host/path``; None without a remote, or without Git."""
    if root is None:
        return None
    try:
        with open_repository(root) as repository:
            return canonical_url(repository.origin() or "")
    except (SchedsyncError, OSError):
        return None
