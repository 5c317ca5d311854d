"""A Git repository that is only read: commits by their names, trees and blobs by their ids.

Whatever a repository's own configuration says, Git is asked only for object ids and for objects: no hook, filter, pager
or transport takes part in that, and missing objects are not fetched. No value from outside becomes an option.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from schedsync.errors import WrongUsage
from schedsync.sources.files import shown_path
from schedsync.sources.yaml import MAX_BYTES

if TYPE_CHECKING:
    import git

#: The modes of what is no file in Git's trees.
LINK, SUBMODULE, DIRECTORY = "120000", "160000", "040000"
_REFERENCE = re.compile(r"[^\s\x00-\x1f\x7f-][^\s\x00-\x1f\x7f]*\Z")
#: Nothing of a repository's configuration may start a program, and nothing is fetched.
_QUIET = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_CONFIG_COUNT": "3",
    "GIT_CONFIG_KEY_0": "core.fsmonitor",
    "GIT_CONFIG_VALUE_0": "false",
    "GIT_CONFIG_KEY_1": "core.hooksPath",
    "GIT_CONFIG_VALUE_1": os.devnull,
    "GIT_CONFIG_KEY_2": "core.sshCommand",
    "GIT_CONFIG_VALUE_2": "false",
}
#: Where a forge's CI names the branch, or the commit, that a change is to be merged into.
_TARGETS = (
    ("GITHUB_BASE_REF", "refs/remotes/origin/{}"),
    ("CI_MERGE_REQUEST_DIFF_BASE_SHA", "{}"),
    ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "refs/remotes/origin/{}"),
)
_DEFAULT_BRANCHES = (
    "refs/remotes/origin/HEAD", "refs/remotes/origin/main", "refs/remotes/origin/master",
    "refs/heads/main", "refs/heads/master",
)  # fmt: skip


class Entry(NamedTuple):
    """One entry of a tree: its mode, and the id of its object."""

    mode: str
    id: str


def blob_id(data: bytes) -> str:
    """Return the id that Git gives to bytes, in a repository of SHA-1."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Repository:
    """A repository that is only read: its root, and where a path lies in it."""

    repository: git.Repo
    root: Path

    def inside(self, path: Path) -> PurePosixPath:
        """Return a path relative to the root; raises WrongUsage where it lies outside."""
        # Only the directory is resolved: a link at the end is looked at where the tree is read.
        real = path.absolute().parent.resolve() / path.name if path.name else path.resolve()
        if not real.is_relative_to(self.root):
            raise WrongUsage(f"`{path}` lies outside the repository", hint=f"the repository is `{self.root}`")
        return PurePosixPath(real.relative_to(self.root).as_posix())

    def commit(self, reference: str) -> str:
        """Return the id of a commit; raises WrongUsage where there is none of this name."""
        found = self._find(reference)
        if found is None:
            hint = "fetch it first"
            if self.shallow:
                hint = "the clone is shallow: fetch it with `git fetch --depth=1 origin REF`, or `fetch-depth: 0` in CI"
            raise WrongUsage(f"no commit `{shown_path(reference)}` in this repository", hint=hint)
        return found

    def _find(self, reference: str) -> str | None:
        if not _REFERENCE.match(reference):
            raise WrongUsage(f"`{shown_path(reference)}` is no name of a revision")
        found = self.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}")
        return found.strip() if found else None

    @property
    def shallow(self) -> bool:
        """Whether the clone lacks history."""
        return (Path(self.repository.common_dir) / "shallow").exists()

    def merge_base(self, head: str | None) -> str:
        """Return where ``head``, by default what is checked out, left the branch that it is to be merged into.

        Raises WrongUsage where that cannot be told, with what to fetch.
        """
        tip = head or self.commit("HEAD")
        target = self._target()
        found = self.git("merge-base", target, tip)
        if found:
            return found.split()[0]
        hint = (
            "fetch more of the history: `git fetch --unshallow`, or `fetch-depth: 0` in GitHub's checkout; or give BASE"
        )
        raise WrongUsage("nothing tells where this branch began", hint=hint if self.shallow else "give BASE")

    def _target(self) -> str:
        for variable, pattern in _TARGETS:
            name = os.environ.get(variable)
            if name and _REFERENCE.match(name) and (found := self._find(pattern.format(name))):
                return found
        for name in _DEFAULT_BRANCHES:
            if found := self._find(name):
                return found
        hint = "give BASE, or fetch the default branch: `git fetch origin main`"
        raise WrongUsage("no default branch to compare with", hint=hint)

    def git(self, *words: str) -> str | None:
        """Run Git for its answer; None where it has none. Whatever is no word of ours was checked by the caller."""
        from git.exc import GitCommandError

        try:
            return str(self.repository.git.execute(["git", *words]))
        except GitCommandError as error:
            said = str(error.stderr)
            if "dubious ownership" in said:
                hint = f"`git config --global --add safe.directory {self.root}`, if you trust it"
                raise WrongUsage("Git does not trust this repository: somebody else owns it", hint=hint) from error
            return None

    def tree(self, commit: str) -> Tree:
        """Return the tree of a commit, by its id."""
        return Tree(self, commit)

    def read(self, object_id: str, limit: int = MAX_BYTES + 1) -> bytes:
        """Return the first bytes of a blob; raises OSError where it is not here."""
        try:
            return bytes(self.repository.odb.stream(bytes.fromhex(object_id)).read(limit))
        except ValueError as error:
            raise OSError(0, "the object is not in this clone") from error

    def size(self, object_id: str) -> int:
        """Return the size of a blob in bytes; raises OSError where it is not here."""
        try:
            return int(self.repository.odb.info(bytes.fromhex(object_id)).size)
        except ValueError as error:
            raise OSError(0, "the object is not in this clone") from error


@contextmanager
def open_repository(path: Path) -> Iterator[Repository]:
    """Open the repository that a path lies in; raises WrongUsage where it lies in none."""
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    try:
        import git
    except ImportError as error:
        raise WrongUsage("Git is not installed", hint="a review reads two revisions with it") from error
    start = path.absolute()
    # A link belongs to the repository that it lies in, wherever it leads.
    while start.is_symlink() or not start.is_dir():
        start = start.parent
    try:
        repository = git.Repo(start.resolve(), search_parent_directories=True)
    except (git.exc.GitError, OSError, ValueError) as error:
        hint = "a review compares two revisions of a repository; `validate` needs none"
        raise WrongUsage(f"`{path}` lies in no Git repository", hint=hint) from error
    with repository:
        repository.git.update_environment(**_QUIET)
        yield Repository(repository, _root_above(start.resolve(), repository))


def _root_above(start: Path, repository: git.Repo) -> Path:
    """Return the work tree's root by where ``.git`` lies, whatever the repository's configuration claims."""
    for directory in (start, *start.parents):
        if (directory / ".git").exists():
            return directory
    return Path(repository.git_dir).resolve()


@dataclass(frozen=True)
class Tree:
    """The files of one commit."""

    repository: Repository
    commit: str

    def entries(self, directory: PurePosixPath) -> Mapping[str, Entry]:
        """Return what lies at or below a directory, by its path from the root, in order."""
        words = [] if directory == PurePosixPath() else ["--", directory.as_posix()]
        listed = self.repository.git("ls-tree", "-r", "-z", "--full-tree", self.commit, *words)
        return dict(_parsed(line) for line in (listed or "").split("\0") if line)

    def entry(self, path: PurePosixPath) -> Entry | None:
        """Return one entry, a directory's too; None where there is none."""
        listed = self.repository.git("ls-tree", "-z", "--full-tree", self.commit, "--", path.as_posix())
        return dict(_parsed(line) for line in (listed or "").split("\0") if line).get(path.as_posix())

    def text(self, path: PurePosixPath) -> str | None:
        """Return a file's text; None where it is none."""
        entry = self.entry(path)
        if entry is None or entry.mode in (LINK, SUBMODULE, DIRECTORY):
            return None
        return self.repository.read(entry.id).decode("utf-8", "replace")

    @cached_property
    def short(self) -> str:
        """The commit's id as people write it."""
        return self.commit[:12]


def _parsed(line: str) -> tuple[str, Entry]:
    described, _, path = line.partition("\t")
    mode, _, object_id = described.split(" ")
    return path, Entry(mode, object_id)
