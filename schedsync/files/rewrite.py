"""Files of a set get a new content: all of them or none, and only if nobody has changed them since they were read."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from schedsync.errors import Failed


def check_writable(path: Path, data: bytes) -> None:
    """Raise Failed where a file is a symbolic link or below one, or no longer holds the bytes that were read."""
    try:
        if path.is_symlink() or path.resolve(strict=True) != path.parent.resolve(strict=True) / path.name:
            raise Failed(f"`{path}` is a symbolic link; nothing was written", hint="write into the file that it names")
        if path.read_bytes() != data:
            raise Failed(f"`{path}` has changed since it was read; nothing was written", hint="run it again")
    except OSError as error:
        raise Failed(f"cannot write `{path}`: {error.strerror}; nothing was written") from error


def rewrite(files: Mapping[Path, tuple[bytes, bytes]]) -> None:
    """Replace the content of files, each given before and after; their modes stay.

    Raises Failed where one of them cannot be written; then all have their former content.
    """
    for path, (before, _) in files.items():
        check_writable(path, before)
    made: dict[Path, Path] = {}
    replaced: list[Path] = []
    try:
        for path, (_, after) in files.items():
            made[path] = _beside(path, after)
        for path, beside in made.items():
            check_writable(path, files[path][0])
            beside.replace(path)
            replaced.append(path)
    except BaseException as error:
        for path in replaced:
            _beside(path, files[path][0]).replace(path)
        for beside in made.values():
            beside.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise Failed(f"cannot write `{error.filename}`: {error.strerror}; nothing was written") from error
        raise


def _beside(path: Path, data: bytes) -> Path:
    """Return a new file beside another one, with its mode and owner and other bytes, which are on the disk."""
    beside = path.with_name(f".schedsync-{secrets.token_hex(8)}")
    known = path.stat()
    if not os.access(path, os.W_OK):
        raise PermissionError(13, os.strerror(13), str(path))
    try:
        # Until it has the mode of the other file, nobody else may read it.
        with open(beside, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        with suppress(PermissionError):
            # Root in a container writes into the directory of a user.
            os.chown(beside, known.st_uid, known.st_gid)
        beside.chmod(stat.S_IMODE(known.st_mode))
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    return beside
