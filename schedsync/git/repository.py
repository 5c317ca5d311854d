"""A Git repository that is only read: commits by their names, trees and blobs by their ids.

It is the repository whose ``.git`` is in or above the working directory; nothing in a tree can replace it. Git is asked
only for object ids and objects. That runs no hook, filter, pager or transport, even if the repository's configuration
has some, and fetches no missing objects. No value from outside becomes an option.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from schedsync.errors import Unavailable, WrongUsage
from schedsync.files.discover import printable_path
from schedsync.files.yaml import MAX_BYTES
from schedsync.git.command import command_in, require_git, settings_in_environment
from schedsync.git.entries import Entry, bounded_entries, entries_of
from schedsync.git.objects import MissingObject, Objects

if TYPE_CHECKING:
    import git

OBJECT_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_REFERENCE = re.compile(r"\A[^\s\x00-\x1f\x7f^-][^\s\x00-\x1f\x7f]{0,999}\Z")
#: These keep a repository's configuration from starting a program, and Git from fetching anything.
_QUIET = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
}
_SETTINGS = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.sshCommand": "false",
    "safe.bareRepository": "explicit",
    # Git refuses repositories of other users, because their configuration could run programs; here it cannot.
    "safe.directory": "*",
}


def blob_id(data: bytes, algorithm: str = "sha1") -> str:
    """Return the id that Git gives to bytes in a repository that uses an algorithm: `sha1` or `sha256`."""
    return hashlib.new(algorithm, b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Repository:
    """A repository that is only read: the command `git` for it, and its root directory."""

    git: git.Git
    root: Path
    objects: Objects = field(compare=False)

    def inside(self, path: Path) -> PurePosixPath:
        """Return a path relative to the root, without following links; raises WrongUsage if it is outside."""
        absolute = _absolute(path)
        if not absolute.is_relative_to(self.root):
            raise WrongUsage(f"`{path}` is outside the repository", hint="give a path within it")
        return PurePosixPath(absolute.relative_to(self.root).as_posix())

    def commit(self, reference: str) -> str:
        """Return the id of a commit by its name; raises WrongUsage if there is none."""
        commit = self.find(reference)
        if commit is None:
            hint = "give one revision, not a range" if ".." in reference else "fetch it first, if it is elsewhere"
            if self.find("HEAD") is None:
                self._check_readable()
                hint = "the repository has no commit yet"
            elif self.shallow:
                hint = "the clone is shallow: fetch it with `git fetch --depth=1 origin REF`, or `fetch-depth: 0` in CI"
            raise WrongUsage(f"no commit `{printable_path(reference)}` in this repository", hint=hint)
        return commit

    def find(self, reference: str) -> str | None:
        """Return the id of a commit by its name, None if there is none; raises WrongUsage if the name is not valid."""
        if not _REFERENCE.match(reference):
            raise WrongUsage(f"`{printable_path(reference[:200])}` is not a valid name of a revision")
        status, output = self._run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}")
        return output if status == 0 and OBJECT_ID.match(output) else None

    def _check_readable(self) -> None:
        """Raise Unavailable if Git cannot read the repository, because of an extension that it does not know."""
        status, _, error = self.git.execute(
            ["git", "rev-parse", "--git-dir"], with_extended_output=True, with_exceptions=False
        )
        if status:
            reason = printable_path(" ".join(str(error).split()))
            raise Unavailable(f"Git cannot read this repository: {reason}", hint="a newer Git may be able to")

    def head_below(self, path: str) -> str | None:
        """Return the commit of the repository in a directory, by its path from the root; None if there is none."""
        root = self.root / path
        return Repository(command := _command(root), root, Objects(command)).find("HEAD") if _has_git(root) else None

    @cached_property
    def shallow(self) -> bool:
        """Whether a part of the history was not fetched."""
        return self._run("rev-parse", "--is-shallow-repository") == (0, "true")

    @cached_property
    def algorithm(self) -> str:
        """The name of the hash that gives objects their ids: `sha1` or `sha256`."""
        return "sha256" if self._run("rev-parse", "--show-object-format") == (0, "sha256") else "sha1"

    def is_ancestor(self, older: str, newer: str) -> bool | None:
        """Say whether a commit, by its id, is an ancestor of another; None if one is missing."""
        status, _ = self._run("merge-base", "--is-ancestor", older, newer)
        return {0: True, 1: False}.get(status)

    def origin(self) -> str | None:
        """Return the URL of the remote `origin`, or of the first one; None without remotes."""
        status, output = self._run("config", "--local", "--get-regexp", r"^remote\..*\.url$")
        urls = dict(line.split(" ", 1) for line in output.splitlines() if " " in line) if status == 0 else {}
        return urls.get("remote.origin.url") or next(iter(urls.values()), None)

    def merge_base(self, one: str, other: str) -> str | None:
        """Return the id of the last commit that is in the history of two commits, by their ids; None without any."""
        status, output = self._run("merge-base", one, other)
        commit = output.split("\n")[0]
        return commit if status == 0 and OBJECT_ID.match(commit) else None

    def message(self, commit: str) -> str:
        """Return the message of a commit, by its id; empty where it is missing, or is larger than a file may be."""
        # `git log` would run a program that the repository's configuration names to check signatures.
        try:
            data = self.objects.read(commit) if self.objects.size(commit) <= MAX_BYTES else b""
        except MissingObject:
            return ""
        return data.decode("utf-8", "replace").partition("\n\n")[2]

    def short_name(self, reference: str) -> str:
        """Return the name of the branch that a full reference means, without `refs/heads/` or `refs/remotes/`."""
        status, output = self._run("symbolic-ref", "--quiet", reference)
        full = output if status == 0 and output else reference
        return full.removeprefix("refs/heads/").removeprefix("refs/remotes/")

    def _run(self, *words: str) -> tuple[int, str]:
        """Return the exit status and the output of Git; the caller has checked that no value can become an option."""
        status, output, _ = self.git.execute(["git", *words], with_extended_output=True, with_exceptions=False)
        return int(status), str(output)

    def listing(self, *words: str) -> Generator[tuple[str, Entry], None, None]:
        """Yield the paths and entries of a tree while Git lists them.

        A small repository can list more entries than a machine can hold. If the caller stops reading, Git is stopped
        too. Raises Unavailable if an object is missing.
        """
        # GitPython ends the process when its handle is gone.
        handle = self.git.execute(["git", "ls-tree", "-z", "--full-tree", *words], as_process=True)
        popen: Any = handle.proc
        try:
            yield from entries_of(popen.stdout)
            popen.stdout.read()
            if popen.wait():
                raise self._missing("a tree")
        finally:
            popen.kill()
            popen.wait()
            popen.stdout.close()
            popen.stderr.close()

    def index(self, *words: str) -> str | None:
        """Return the entries of the index, with what the work tree leaves out marked by an S; None on a failure."""
        status, output = self._run("ls-files", "-z", "-t", "--stage", *words)
        return output if status == 0 else None

    def entries(self, commit: str, paths: Sequence[PurePosixPath]) -> Mapping[str, Entry]:
        """Return the files, links and submodules of a commit at and below the paths, by their paths, in order.

        Raises InvalidSet if they are more than a tree may have.
        """
        words = [] if PurePosixPath() in paths else ["--", *(path.as_posix() for path in paths)]
        # With `-t` Git lists directories too. Without it, trees that hold only trees would list nothing, endlessly.
        with closing(self.listing("-r", "-t", commit, *words)) as listing:
            return bounded_entries(listing, commit[:12])

    def tree(self, commit: str) -> Tree:
        """Return the tree of a commit, by its id."""
        return Tree(self, commit)

    def read(self, object_id: str, name: str) -> bytes:
        """Return the bytes of a blob; ``name`` is the path of the file, for messages.

        Raises Unavailable if the blob is missing, OSError if it is larger than a file of a set may be.
        """
        if self.size(object_id, name) > MAX_BYTES:
            raise OSError(27, os.strerror(27))
        try:
            return self.objects.read(object_id)
        except MissingObject as error:
            raise self._missing(f"`{printable_path(name)}`") from error

    def size(self, object_id: str, name: str) -> int:
        """Return the size of a blob in bytes; raises Unavailable if it is missing."""
        try:
            return self.objects.size(object_id)
        except MissingObject as error:
            raise self._missing(f"`{printable_path(name)}`") from error

    def _missing(self, what: str) -> Unavailable:
        status, _ = self._run("config", "--get-regexp", r"^remote\..*\.(promisor|partialclonefilter)$")
        hint = "the repository is damaged; `git fsck` says more"
        if status == 0:
            hint = (
                "it is a partial clone: fetch the rest with `git fetch --refetch --no-filter origin`, "
                "or clone without a filter (in CI, leave out `filter`)"
            )
        return Unavailable(f"{what} of a commit is not in this clone, so nothing was compared", hint=hint)


def _absolute(path: Path) -> Path:
    """Return an absolute path; links of the working directory are followed, links of the path are not."""
    return Path(os.path.normpath(Path.cwd().resolve() / path))


def root_of(path: Path) -> Path | None:
    """Return the root of the working directory's repository, or of the path's if the path is outside that directory."""
    here, absolute = Path.cwd().resolve(), _absolute(path)
    root = _nearest_root(here) if absolute.is_relative_to(here) else None
    return root or _nearest_root(absolute)


def _nearest_root(start: Path) -> Path | None:
    return next((directory for directory in (start, *start.parents) if _has_git(directory)), None)


def _has_git(directory: Path) -> bool:
    return (directory / ".git").exists()


@contextmanager
def open_repository(path: Path, root: Path | None = None) -> Iterator[Repository]:
    """Open the repository at ``root``, or else the one that contains a path.

    Raises WrongUsage if there is none, or if Git is not installed.
    """
    root = root or root_of(path)
    if root is None:
        hint = "a review compares two revisions of a repository; `validate` needs none"
        raise WrongUsage(f"`{path}` is not in a Git repository", hint=hint)
    require_git("a review needs it to read two revisions")
    command = _command(root)
    objects = Objects(command)
    try:
        yield Repository(command, root, objects)
    finally:
        objects.close()
        command.clear_cache()


def _command(root: Path) -> git.Git:
    """Return the command `git` for the repository at a directory, which runs none of its programs."""
    variables = {**_QUIET, **settings_in_environment(_SETTINGS)}
    return command_in(root, {**variables, "GIT_DIR": str(root / ".git"), "GIT_WORK_TREE": str(root)})


@dataclass(frozen=True)
class Tree:
    """The files of one commit."""

    repository: Repository
    commit: str

    def entries(self, directory: PurePosixPath) -> Mapping[str, Entry]:
        """Return the files, links and submodules at or below a directory, by their paths from the root, in order."""
        return self.repository.entries(self.commit, [directory])

    def entry(self, path: PurePosixPath) -> Entry | None:
        """Return one entry, which may be a directory; None if there is none."""
        return dict(self.repository.listing(self.commit, "--", path.as_posix())).get(path.as_posix())

    @property
    def short(self) -> str:
        """The first twelve digits of the commit's id."""
        return self.commit[:12]
