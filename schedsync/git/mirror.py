"""A bare repository in a directory of its own, into which one branch, or some tags, of a remote are fetched.

Nothing is checked out, so that no filter and no hook of the remote can run, and no submodule is fetched. The directory
is locked while it is in use. It may be deleted at any time: it holds nothing that the remote does not have.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from schedsync.errors import Failed, Unavailable, WrongUsage
from schedsync.git.bounded_process import Limits, run_bounded
from schedsync.git.command import command_in, require_git, settings_in_environment
from schedsync.git.remote import Remote
from schedsync.git.repository import Repository, open_repository

if TYPE_CHECKING:
    import git

#: Seconds, and bytes of all packs, unless the user says otherwise.
FETCH_SECONDS, FETCH_BYTES = 300.0, 2 * 2**30
_FETCHED = "refs/schedsync/fetched"
_TAGS = "refs/schedsync/tags/"
#: Followed by a digest of the remote: the same directory may be given for another one.
_APPLIED = "refs/schedsync/applied/{}"
#: What a killed Git can leave behind; with the lock of the directory, no other process needs them.
_LEFTOVERS = ("objects/pack/tmp_*", "objects/pack/.tmp*", "objects/tmp_objdir*", "gc.pid", "*.lock", "refs/**/*.lock")
_SETTINGS = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "fetch.fsckObjects": "false",
    "fetch.recurseSubmodules": "false",
    # All that is fetched is then in packs, whose size can be looked at while they grow.
    "fetch.unpackLimit": "1",
    "gc.autoDetach": "false",
    "maintenance.autoDetach": "false",
    # A larger object is written to the disk in pieces, and is never in memory as a whole.
    "core.bigFileThreshold": "4m",
    "http.followRedirects": "initial",
    "protocol.version": "2",
    "safe.directory": "*",
}


class Followed(NamedTuple):
    """What was found at the remote: the commit's id, what people call it, and the tag object's id if it is one."""

    commit: str
    name: str
    tag: str | None = None


@dataclass(frozen=True)
class Mirror:
    """The repository of a remote in a directory; use it in the block of :func:`open_mirror`."""

    remote: Remote
    root: Path
    repository: Repository
    command: git.Git
    seconds: float = FETCH_SECONDS
    most_bytes: int = FETCH_BYTES

    def fetch(self, stop: Callable[[], bool] = lambda: False) -> Followed:
        """Fetch, and return what the remote has now.

        ``stop`` is asked all the time, and ends it. Raises Unavailable if the remote does not answer as it should or
        takes too long, Failed if it is too large or has no such branch or tag.
        """
        _tidy(self.root)
        limits = Limits(self.seconds, self.most_bytes, self._size, stop)
        ended = run_bounded(
            self.command,
            ["fetch", "--quiet", "--no-tags", "--prune", "--no-recurse-submodules", "--no-write-fetch-head",
             "--refmap=", "--", self.remote.url, self._refspec()],
            limits,
        )  # fmt: skip
        if ended.killed is not None or ended.status:
            _tidy(self.root)
            reason = ended.killed or self.remote.without_credentials(ended.said) or f"exit status {ended.status}"
            hint = "the last good commit stays; it is fetched again"
            raise Unavailable(f"cannot fetch {self.remote.followed} of {self.remote.shown}: {reason}", hint=hint)
        return self._found()

    def _refspec(self) -> str:
        if self.remote.tags is None:
            return f"+refs/heads/{self.remote.branch}:{_FETCHED}"
        return f"+refs/tags/{self.remote.tags}:{_TAGS}{self.remote.tags}"

    def _found(self) -> Followed:
        if self.remote.tags is not None:
            return self._highest_tag(self.remote.tags)
        commit = self.repository.find(_FETCHED)
        if commit is None:
            raise Failed(f"{self.remote.followed} of {self.remote.shown} is no commit")
        return Followed(commit, self.remote.branch)

    def _highest_tag(self, pattern: str) -> Followed:
        format_ = "%(objecttype) %(objectname) %(refname)"
        listed = self.command.execute(["git", "for-each-ref", f"--format={format_}", "--sort=-version:refname", _TAGS])
        start, _, end = pattern.partition("*")
        for line in str(listed).splitlines():
            kind, object_id, reference = line.split(" ", 2)
            name = reference.removeprefix(_TAGS)
            # Tags of an earlier pattern may still be here.
            fits = name == pattern if "*" not in pattern else name.startswith(start) and name.endswith(end)
            commit = self.repository.find(reference) if fits else None
            if commit is not None:
                return Followed(commit, name, object_id if kind == "tag" else None)
        raise Failed(f"{self.remote.shown} has no tag of a commit that fits `{pattern}`")

    @property
    def applied(self) -> str | None:
        """The id of the commit that was applied last from here, or None."""
        return self.repository.find(_applied_ref(self.remote))

    def note_applied(self, commit: str) -> None:
        """Remember a commit as the last good one."""
        self.command.execute(["git", "update-ref", _applied_ref(self.remote), commit])

    def _size(self) -> int:
        size = 0
        for directory, _, names in os.walk(self.root / ".git" / "objects" / "pack"):
            for name in names:
                with suppress(OSError):
                    size += (Path(directory) / name).stat().st_size
        return size


def _applied_ref(remote: Remote) -> str:
    name = f"{remote.url} {remote.followed}"
    return _APPLIED.format(hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:16])


@contextmanager
def open_mirror(
    remote: Remote, directory: Path, seconds: float = FETCH_SECONDS, most_bytes: int = FETCH_BYTES
) -> Iterator[Mirror]:
    """Make the repository in a directory if it is not there, lock the directory, and return the mirror.

    What a killed process left behind is deleted; a repository that is damaged is made again. Raises WrongUsage if the
    directory cannot be used, another agent uses it, or Git is not installed.
    """
    require_git("an agent fetches with it")
    directory = directory.absolute()
    with _locked(directory):
        _tidy(directory)
        # A remote may be a path that is relative to the working directory.
        command = command_in(Path.cwd(), _variables(remote, directory))
        if not _is_sound(directory, command):
            _make(directory, command)
        with open_repository(directory, directory) as repository:
            yield Mirror(remote, directory, repository, command, seconds, most_bytes)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = (directory / "lock").open("a")
    except OSError as error:
        hint = "give one that may be written by `--directory`"
        raise WrongUsage(f"cannot use the directory `{directory}`: {error.strerror}", hint=hint) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            hint = "give each agent a directory of its own by `--directory`"
            raise WrongUsage(f"another agent uses the directory `{directory}`", hint=hint) from error
        yield


def _variables(remote: Remote, directory: Path) -> dict[str, str]:
    return {
        **settings_in_environment(_SETTINGS),
        "GIT_ALLOW_PROTOCOL": remote.protocols,
        "GIT_DIR": str(directory / ".git"),
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_PROTOCOL_FROM_USER": "0",
        "GIT_TERMINAL_PROMPT": "0",
    }


def _tidy(directory: Path) -> None:
    for pattern in _LEFTOVERS:
        for path in (directory / ".git").glob(pattern):
            with suppress(OSError):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()


def _is_sound(directory: Path, command: git.Git) -> bool:
    """Say whether the repository can be read, with all of its last commits."""
    if not (directory / ".git" / "HEAD").is_file():
        return False
    status, _, _ = command.execute(
        ["git", "rev-list", "--quiet", "--objects", "--no-walk", "--glob=refs/schedsync"],
        with_extended_output=True,
        with_exceptions=False,
    )
    return status == 0


def _make(directory: Path, command: git.Git) -> None:
    shutil.rmtree(directory / ".git", ignore_errors=True)
    status, _, error = command.execute(
        ["git", "init", "--quiet", "--bare", "--template=", "--initial-branch=main", str(directory / ".git")],
        with_extended_output=True,
        with_exceptions=False,
    )
    if status:
        raise WrongUsage(f"cannot make a repository in `{directory}`: {' '.join(str(error).split())[:300]}")
