"""A bare repository in a directory of its own, into which one branch, or some tags, of a remote are fetched.

Nothing is checked out, so that no filter and no hook of the remote can run, and no submodule is fetched. The directory
is locked while it is in use. It may be deleted at any time: it holds nothing that the remote does not have.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from schedsync.errors import Failed, Unavailable
from schedsync.files.writer import visible
from schedsync.git.bounded_process import Ended, Limits, run_bounded
from schedsync.git.command import (
    command_in,
    faults_of_the_host,
    require_git,
    require_version,
    without_variables_of_a_repository,
)
from schedsync.git.mirror_directory import (
    REFERENCES,
    child_file,
    locked,
    make,
    packs,
    prepare,
    tidy,
    used,
    variables_of,
)
from schedsync.git.remote import Remote
from schedsync.git.repository import Repository, open_repository

if TYPE_CHECKING:
    import git

logger = logging.getLogger(__name__)

#: Seconds, and bytes of the whole repository, unless the user says otherwise.
FETCH_SECONDS, FETCH_BYTES = 300.0, 2 * 2**30
_FETCHED = f"{REFERENCES}/fetched"
_TAGS = f"{REFERENCES}/tags/"
#: Followed by a digest of the remote: the same directory may be given for another one.
_APPLIED = REFERENCES + "/applied/{}"
#: Above this number of packs, all of them become one, without objects that nothing refers to any more. Each fetch that
#: brings something makes a pack.
_MOST_PACKS = 50
#: The characters of an id of SHA-256.
_LONG_ID = 64
#: How many tags of one commit are read at most.
_MOST_TAGS = 100


class Followed(NamedTuple):
    """What was found at the remote: the commit's id, what people call it, and the tag object's id if it is one."""

    commit: str
    name: str
    tag: str | None = None


@dataclass
class _Memory:
    """What one process knows of its mirror: the commit that was applied last, and at how many packs to compact."""

    applied: str | None = None
    most_packs: int = _MOST_PACKS


@dataclass(frozen=True)
class Mirror:
    """The repository of a remote in a directory; use it in the block of :func:`open_mirror`."""

    remote: Remote
    root: Path
    repository: Repository
    command: git.Git
    seconds: float = FETCH_SECONDS
    most_bytes: int = FETCH_BYTES
    _memory: _Memory = field(default_factory=_Memory, compare=False, repr=False)

    def fetch(self, stop: Callable[[], bool] = lambda: False) -> Followed:
        """Fetch, and return what the remote has now.

        ``stop`` is asked all the time, and ends it. Raises Unavailable if the remote does not answer as it should or
        takes too long, Failed if it is too large or has no such branch or tag.
        """
        if not (self.root / ".git" / "HEAD").is_file():
            # The directory is gone. Of a repository with longer ids, only those tell.
            self._make_again("sha256" if len(self.applied or "") == _LONG_ID else "sha1")
        ended = self._fetched(stop)
        if ended.status and ended.killed is None and self._is_empty:
            ended = self._fetched_with_longer_ids(ended, stop)
        if ended.killed is not None or ended.status:
            tidy(self.root)
            if ended.killed is not None and packs(self.root) > 1 and used(self.root) > self.most_bytes // 2:
                # What was rewritten at the remote may still fill the directory.
                self._compact(stop)
            reason = self.remote.without_credentials(ended.reason)
            hint = "the last good commit stays; it is fetched again"
            raise Unavailable(f"cannot fetch {self.remote.followed} of {self.remote.shown}: {reason}", hint=hint)
        found = self._found(ended)
        if packs(self.root) > self._memory.most_packs:
            self._compact(stop)
        return found

    def _fetched(self, stop: Callable[[], bool]) -> Ended:
        tidy(self.root)
        return self._run(
            ["fetch", "--quiet", "--no-tags", "--prune", "--no-recurse-submodules", "--no-auto-maintenance",
             "--refmap=", "--", self.remote.url, self._refspec()],
            self.most_bytes,
            stop,
        )  # fmt: skip

    def _run(self, words: list[str], most: int, stop: Callable[[], bool]) -> Ended:
        limits = Limits(self.seconds, most, lambda: used(self.root), stop)
        with child_file(self.root) as file:
            return run_bounded(self.command, words, limits, file)

    @property
    def _is_empty(self) -> bool:
        return self._execute("for-each-ref", "--count=1", REFERENCES) == "" and self._memory.applied is None

    def _fetched_with_longer_ids(self, failed: Ended, stop: Callable[[], bool]) -> Ended:
        """Fetch as from a repository with object ids of SHA-256, which Git does not find out by itself."""
        self._make_again("sha256")
        ended = self._fetched(stop)
        if ended.status == 0 and ended.killed is None:
            return ended
        self._make_again("sha1")
        return failed

    def _make_again(self, algorithm: str) -> None:
        self.repository.objects.close()
        make(self.root, self.command, algorithm)

    def _compact(self, stop: Callable[[], bool]) -> None:
        """Make one pack of all that is referred to; it costs some space and time, so it is done seldom."""
        # A process that reads objects would keep the deleted packs on the disk.
        self.repository.objects.close()
        ended = self._run(["gc", "--quiet", "--prune=now"], 3 * self.most_bytes, stop)
        if ended.status or ended.killed:
            tidy(self.root)
            if not stop():
                logger.warning("cannot tidy `%s`: %s", self.root, self.remote.without_credentials(ended.reason))
        self._memory.most_packs = packs(self.root) + _MOST_PACKS

    def _refspec(self) -> str:
        if self.remote.tags is None:
            return f"+refs/heads/{self.remote.branch}:{_FETCHED}"
        return f"+refs/tags/{self.remote.tags}:{_TAGS}{self.remote.tags}"

    def _found(self, ended: Ended) -> Followed:
        # What was fetched earlier is still there, and Git ends well although it refuses, as of a shallow remote.
        taken = (self.root / ".git" / "FETCH_HEAD").stat().st_size > 0
        why = f": {self.remote.without_credentials(ended.said)}" if ended.said.strip() else ""
        if self.remote.tags is not None:
            found = self._highest_tag(self.remote.tags) if taken else None
            if found is None:
                raise Failed(f"{self.remote.shown} has no tag of a commit that fits `{self.remote.tags}`{why}")
            return found
        commit = self.repository.find(_FETCHED) if taken else None
        if commit is None:
            raise Failed(f"{self.remote.followed} of {self.remote.shown} is no commit that can be fetched{why}")
        return Followed(commit, self.remote.branch)

    def names_of(self, commit: str) -> Iterator[Followed]:
        """Yield a fetched commit, by its id, as what it is followed by: the branch, or each tag of the pattern."""
        if self.remote.tags is None:
            yield Followed(commit, self.remote.branch)
        else:
            yield from islice(self._tags(self.remote.tags, "--points-at", commit), _MOST_TAGS)

    def _highest_tag(self, pattern: str) -> Followed | None:
        return next(self._tags(pattern), None)

    def _tags(self, pattern: str, *options: str) -> Iterator[Followed]:
        """Yield the fetched tags of commits that fit a pattern, the highest version first."""
        format_ = "--format=%(objecttype) %(objectname) %(refname)"
        listed = self._execute("for-each-ref", format_, "--sort=-version:refname", *options, _TAGS)
        start, _, end = pattern.partition("*")
        # Only `\n` ends a line: a name may have each other character that ends one.
        for line in filter(None, listed.split("\n")):
            kind, object_id, reference = line.split(" ", 2)
            name = reference.removeprefix(_TAGS)
            # Tags of an earlier pattern may still be here.
            fits = name == pattern if "*" not in pattern else name.startswith(start) and name.endswith(end)
            commit = self.repository.find(object_id) if fits else None
            if commit is not None:
                yield Followed(commit, visible(name), object_id if kind == "tag" else None)

    def _execute(self, *words: str) -> str:
        return str(self.command.execute(["git", *words]))

    @property
    def applied(self) -> str | None:
        """The id of the commit that was applied last from here, or None."""
        return self._memory.applied

    def note_applied(self, commit: str) -> None:
        """Remember a commit as the last good one; on a full disk only until this process ends."""
        self._memory.applied = commit
        try:
            with faults_of_the_host("note the commit"):
                tidy(self.root)
                self._execute("update-ref", _applied_ref(self.remote), commit)
        except Unavailable as error:
            logger.warning("%s; it is compared with the tables again after a restart", error.message)


def _applied_ref(remote: Remote) -> str:
    # Without credentials: a new password makes no other remote.
    name = f"{remote.shown} {remote.followed}"
    return _APPLIED.format(hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:16])


@contextmanager
def open_mirror(
    remote: Remote, directory: Path, seconds: float = FETCH_SECONDS, most_bytes: int = FETCH_BYTES
) -> Iterator[Mirror]:
    """Make the repository in a directory if it is not there, lock the directory, and return the mirror.

    What a killed process left behind is deleted; a repository that is damaged is made again. In the block, no variable
    of the process leads Git to another repository. Raises WrongUsage if the directory cannot be used, another agent
    uses it, or Git is not installed.
    """
    require_git("an agent fetches with it")
    directory = directory.absolute()
    with locked(directory), without_variables_of_a_repository():
        # A remote may be a path that is relative to the working directory.
        command = command_in(Path.cwd(), variables_of(remote, directory))
        require_version(command, "an agent needs them to be safe from the configuration of others")
        prepare(directory, command)
        with open_repository(directory, directory) as repository:
            memory = _Memory(repository.find(_applied_ref(remote)))
            yield Mirror(remote, directory, repository, command, seconds, most_bytes, memory)
