"""The configurations of sets in a commit."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import PurePosixPath

from schedsync.config import FILE, PROJECT
from schedsync.errors import WrongUsage
from schedsync.files.configurations import is_configuration, is_passed_over
from schedsync.git.entries import DIRECTORY, LINK, SUBMODULE
from schedsync.git.repository import Repository
from schedsync.git.tree import configuration_bytes

#: A tree may list far more entries than it has objects.
_MAX_ENTRIES = 5_000_000


def sets_at(repository: Repository, commit: str, start: PurePosixPath) -> dict[PurePosixPath, PurePosixPath]:
    """Return the directories of a commit at or below a directory that have a configuration, each with that file."""
    words = [] if start == PurePosixPath() else ["--", f"{start.as_posix()}/"]
    found: dict[PurePosixPath, PurePosixPath] = {}
    with closing(repository.listing("-r", "-t", commit, *words)) as listing:
        for count, (path, entry) in enumerate(listing):
            if count >= _MAX_ENTRIES:
                hint = "give a directory with fewer files as `--path`"
                raise WrongUsage(f"{commit[:12]} has more than {_MAX_ENTRIES:,} entries", hint=hint)
            file = PurePosixPath(path)
            if file.name not in (FILE, PROJECT) or entry.mode in (DIRECTORY, LINK, SUBMODULE):
                continue
            if any(map(is_passed_over, file.parent.relative_to(start).parts)):
                continue
            if is_configuration(path, partial(configuration_bytes, repository, entry.id, path)):
                # Where a directory has both files, FILE counts.
                found[file.parent] = file if file.name == FILE else found.get(file.parent, file)
    return found
