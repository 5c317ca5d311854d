"""The directory of a mirror: locked, made, and made again if it is damaged; only our own settings count there."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from schedsync.errors import WrongUsage
from schedsync.git.command import settings_in_environment
from schedsync.git.remote import Remote

if TYPE_CHECKING:
    import git

#: The references of an agent are below this one.
REFERENCES = "refs/schedsync"
#: What a killed Git can leave behind; with the lock of the directory, no other process needs them.
_LEFTOVERS = (
    "*.lock", "refs/**/*.lock", "logs", "gc.pid", "gc.log", "shallow_*",
    "objects/*.lock", "objects/info/**/*.lock", "objects/pack/*.lock", "objects/pack/*.keep",
    "objects/pack/tmp_*", "objects/pack/.tmp*", "objects/pack/*.temp", "objects/tmp_objdir*",
    "objects/??/tmp_obj_*", "objects/??/*.temp",
)  # fmt: skip
#: Files that a mirror never has, and by which Git would read other repositories, or run programs.
_FOREIGN = (
    "commondir", "config.worktree", "gitdir", "hooks", "info", "modules", "objects/info/alternates",
    "objects/info/http-alternates", "shallow", "worktrees",
)  # fmt: skip
_SETTINGS = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.logAllRefUpdates": "false",
    "fetch.fsckObjects": "false",
    "fetch.recurseSubmodules": "false",
    # All that is fetched is then in packs.
    "fetch.unpackLimit": "1",
    "gc.autoDetach": "false",
    # A larger object is written to the disk in pieces, and is never in memory as a whole.
    "core.bigFileThreshold": "4m",
    "http.followRedirects": "initial",
    "pack.threads": "1",
    "pack.windowMemory": "64m",
    "protocol.version": "2",
    "safe.directory": "*",
    # `v2.0-rc1` comes before `v2.0`.
    "versionsort.suffix": "-",
}
_CONFIG = "[core]\n\trepositoryformatversion = {version}\n\tfilemode = true\n\tbare = true\n"
_SHA256 = "[extensions]\n\tobjectformat = sha256\n"
#: Bytes that a file takes at least.
_BLOCK = 4096
#: Seconds until a process that was killed has ended.
_ENDS = 10.0
#: Seconds for which the process that a killed agent was about to start may still have its files.
_FORKED = 1.0
_LOOK = 0.02


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Make a directory if it is not there, and lock it; raises WrongUsage if it cannot be used, or is in use."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = (directory / "lock").open("a")
    except OSError as error:
        hint = "give one that may be written by `--directory`"
        raise WrongUsage(f"cannot use the directory `{directory}`: {error.strerror}", hint=hint) from error
    with file:
        end = time.monotonic() + _FORKED
        while not _is_locked(file):
            if time.monotonic() > end:
                raise _in_use(directory)
            time.sleep(_LOOK)
        yield


def _is_locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _in_use(directory: Path) -> WrongUsage:
    hint = "give each agent a directory of its own by `--directory`"
    return WrongUsage(f"another agent uses the directory `{directory}`", hint=hint)


@contextmanager
def child_file(directory: Path) -> Iterator[IO[str]]:
    """Yield a locked file for the id of a Git that inherits it: so a Git whose agent was killed can be found."""
    path = directory / "child"
    path.unlink(missing_ok=True)
    # `x` follows no link.
    with path.open("x", encoding="ascii") as file:
        _is_locked(file)
        try:
            yield file
        finally:
            path.unlink(missing_ok=True)


def end_orphan(directory: Path) -> None:
    """Kill the Git of an agent that was killed itself: it would still write. Raises WrongUsage if it does not end."""
    try:
        descriptor = os.open(directory / "child", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return
    with os.fdopen(descriptor, encoding="ascii", errors="replace") as file:
        if os.fstat(descriptor).st_uid != os.geteuid():
            # Who may write into the directory must not choose what is killed.
            raise _in_use(directory)
        number = file.read(20).strip()
        end = time.monotonic() + _ENDS
        while not _is_locked(file):
            if time.monotonic() > end:
                raise _in_use(directory)
            if number.isdecimal() and int(number) > 1:
                with suppress(OSError):
                    os.killpg(int(number), signal.SIGKILL)
            time.sleep(_LOOK)
    (directory / "child").unlink(missing_ok=True)


def variables_of(remote: Remote, directory: Path) -> dict[str, str]:
    """Return the variables of a Git that fetches from a remote into a directory."""
    return {
        **settings_in_environment(_SETTINGS),
        "GIT_ALLOW_PROTOCOL": remote.protocols,
        # Git 3 has another one by default, which older versions do not read.
        "GIT_DEFAULT_REF_FORMAT": "files",
        "GIT_DIR": str(directory / ".git"),
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_PROTOCOL_FROM_USER": "0",
        "GIT_TERMINAL_PROMPT": "0",
    }


def tidy(directory: Path) -> None:
    """Delete what a killed Git left behind."""
    _delete(directory / ".git", _LEFTOVERS)


def prepare(directory: Path, command: git.Git) -> None:
    """Make the repository of a directory fit for use; it is made again if it is not ours, or is damaged."""
    end_orphan(directory)
    tidy(directory)
    root = directory / ".git"
    if not (_is_own(root) and _is_taken_back(root) and _is_sound(directory, command)):
        make(directory, command)


def make(directory: Path, command: git.Git, algorithm: str = "sha1") -> None:
    """Make an empty repository in the place of what is there, for object ids of `sha1` or `sha256`.

    Raises WrongUsage if it cannot be made.
    """
    root = directory / ".git"
    with suppress(OSError):
        if root.is_symlink():
            root.unlink()
    shutil.rmtree(root, ignore_errors=True)
    if os.path.lexists(root):
        raise WrongUsage(f"`{root}` is not ours, and cannot be deleted", hint="give another one by `--directory`")
    with suppress(OSError):
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    status, _, error = command.execute(
        ["git", "init", "--quiet", "--bare", "--template=", "--initial-branch=main", f"--object-format={algorithm}",
         str(root)],
        with_extended_output=True,
        with_exceptions=False,
    )  # fmt: skip
    if status:
        raise WrongUsage(f"cannot make a repository in `{directory}`: {' '.join(str(error).split())[:300]}")


def used(directory: Path) -> int:
    """Return how many bytes of the disk the repository takes: packs, objects, and each reference."""
    size = 0
    for place, _, names in os.walk(directory / ".git"):
        for name in names:
            with suppress(OSError):
                size += -(-(Path(place) / name).lstat().st_size // _BLOCK) * _BLOCK
    return size


def packs(directory: Path) -> int:
    """Return the number of packs."""
    return len(list((directory / ".git/objects/pack").glob("*.pack")))


def _delete(root: Path, patterns: tuple[str, ...]) -> None:
    for pattern in patterns:
        for path in root.glob(pattern):
            with suppress(OSError):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()


def _is_own(root: Path) -> bool:
    """Say whether a directory is this user's, and no other user may write to it."""
    try:
        found = root.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & stat.S_IWOTH


def _is_taken_back(root: Path) -> bool:
    """Delete what no mirror has, and write our own configuration; says whether it is there.

    Another program may have written there. What is as it should be is not written again: the disk may be full.
    """
    _delete(root, _FOREIGN)
    config, fresh = root / "config", root / "config.new"
    try:
        text = config.read_text("utf-8", "replace")
        is_long = "objectformat = sha256" in text
        own = _CONFIG.format(version=int(is_long)) + (_SHA256 if is_long else "")
        if text != own:
            fresh.write_text(own, encoding="utf-8")
            fresh.replace(config)
    except OSError:
        return False
    return True


def _is_sound(directory: Path, command: git.Git) -> bool:
    """Say whether the repository can be read, with all of its last commits."""
    if not (directory / ".git" / "HEAD").is_file():
        return False
    status, _, _ = command.execute(
        ["git", "rev-list", "--quiet", "--objects", "--no-walk", f"--glob={REFERENCES}"],
        with_extended_output=True,
        with_exceptions=False,
    )
    return bool(status == 0)
