"""A Git repository that is only read: commits by their names, trees and blobs by their ids.

It is the one whose ``.git`` lies in or above the working directory: nothing that a tree holds can put another one in
its place. Whatever its configuration says, Git is asked only for object ids and for objects: no hook, filter, pager or
transport takes part in that, and missing objects are not fetched. No value from outside becomes an option.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from schedsync.errors import Unavailable, WrongUsage
from schedsync.files.discover import shown_path
from schedsync.files.yaml import MAX_BYTES

if TYPE_CHECKING:
    import git

#: The modes of what is no file in Git's trees.
LINK, SUBMODULE, DIRECTORY = "120000", "160000", "040000"
OBJECT_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_REFERENCE = re.compile(r"[^\s\x00-\x1f\x7f^-][^\s\x00-\x1f\x7f]{0,999}\Z")
#: Nothing of a repository's configuration may start a program, and nothing is fetched.
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
    # Who owns the files does not matter to somebody who only reads objects.
    "safe.directory": "*",
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
    """A repository that is only read: Git at work on it, and its root."""

    git: git.Git
    root: Path

    def inside(self, path: Path) -> PurePosixPath:
        """Return a path relative to the root, without following links; raises WrongUsage where it lies outside."""
        found = _absolute(path)
        if not found.is_relative_to(self.root):
            raise WrongUsage(f"`{path}` lies outside the repository", hint="give a path within it")
        return PurePosixPath(found.relative_to(self.root).as_posix())

    def commit(self, reference: str) -> str:
        """Return the id of a commit; raises WrongUsage where there is none of this name."""
        found = self.find(reference)
        if found is None:
            hint = "BASE and HEAD are two words" if ".." in reference else "fetch it first, if it is elsewhere"
            if self.find("HEAD") is None:
                hint = "nothing is committed yet"
            elif self.shallow:
                hint = "the clone is shallow: fetch it with `git fetch --depth=1 origin REF`, or `fetch-depth: 0` in CI"
            raise WrongUsage(f"no commit `{shown_path(reference)}` in this repository", hint=hint)
        return found

    def find(self, reference: str) -> str | None:
        """Return the id of a commit by its name, None where there is none; raises WrongUsage where it is no name."""
        if not _REFERENCE.match(reference):
            raise WrongUsage(f"`{shown_path(reference[:200])}` is no name of a revision")
        status, said = self._run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}")
        return said if status == 0 and OBJECT_ID.match(said) else None

    @cached_property
    def shallow(self) -> bool:
        """Whether the clone lacks history."""
        return self._run("rev-parse", "--is-shallow-repository") == (0, "true")

    def is_ancestor(self, older: str, newer: str) -> bool | None:
        """Say whether a commit, by its id, is an ancestor of another; None where one of them is not here."""
        status, _ = self._run("merge-base", "--is-ancestor", older, newer)
        return {0: True, 1: False}.get(status)

    def origin(self) -> str | None:
        """Return the URL of the remote `origin`, or of the first one; None without remotes."""
        status, said = self._run("config", "--local", "--get-regexp", r"^remote\..*\.url$")
        urls = dict(line.split(" ", 1) for line in said.splitlines() if " " in line) if status == 0 else {}
        return urls.get("remote.origin.url") or next(iter(urls.values()), None)

    def merge_base(self, head: str | None) -> str:
        """Return where ``head``, by default what is checked out, left the branch that it is to be merged into.

        Raises WrongUsage where that cannot be told, with what to fetch.
        """
        tip = head or self.commit("HEAD")
        status, said = self._run("merge-base", self._target(), tip)
        found = said.split("\n")[0]
        if status == 0 and OBJECT_ID.match(found):
            return found
        hint = "give BASE"
        if self.shallow:
            hint = "fetch more of the history: `git fetch --unshallow`, or `fetch-depth: 0` in CI; or give BASE"
        raise WrongUsage("nothing tells where this branch began", hint=hint)

    def _target(self) -> str:
        for variable, pattern in _TARGETS:
            name = os.environ.get(variable)
            if name and _REFERENCE.match(name) and (found := self.find(pattern.format(name))):
                return found
        for name in _DEFAULT_BRANCHES:
            if found := self.find(name):
                return found
        hint = "give BASE, or fetch the default branch: `git fetch origin main`"
        raise WrongUsage("no default branch to compare with", hint=hint)

    def _run(self, *words: str) -> tuple[int, str]:
        """Run Git; whatever is no word of ours was checked by the caller, or is an object's id."""
        status, said, _ = self.git.execute(["git", *words], with_extended_output=True, with_exceptions=False)
        return int(status), str(said)

    def listing(self, *words: str) -> str:
        """Return what Git lists of a tree; raises Unavailable where an object of it is not here."""
        status, said = self._run("ls-tree", "-z", "--full-tree", *words)
        if status:
            hint = "fetch it: a partial or damaged clone cannot be reviewed"
            raise Unavailable("a tree is not in this clone", hint=hint)
        return said

    def tree(self, commit: str) -> Tree:
        """Return the tree of a commit, by its id."""
        return Tree(self, commit)

    def read(self, object_id: str) -> bytes:
        """Return a blob; raises OSError where it is not here, or larger than any file of a set may be."""
        if self.size(object_id) > MAX_BYTES:
            raise OSError(27, os.strerror(27))
        try:
            return bytes(self.git.get_object_data(object_id)[3])
        except ValueError as error:
            raise OSError(0, "the object is not in this clone") from error

    def size(self, object_id: str) -> int:
        """Return the size of a blob in bytes; raises OSError where it is not here."""
        try:
            return int(self.git.get_object_header(object_id)[2])
        except ValueError as error:
            raise OSError(0, "the object is not in this clone") from error


def _absolute(path: Path) -> Path:
    """Return a path from the file system's root; links of it are not followed, but the working directory's are."""
    return Path(os.path.normpath(Path.cwd().resolve() / path))


def root_of(path: Path) -> Path | None:
    """Return the root of the repository in which the working directory lies, and if not the path's; None without."""
    here, wanted = Path.cwd().resolve(), _absolute(path)
    if not wanted.is_relative_to(here) or _nearest(here) is None:
        here = wanted
    return _nearest(here)


def _nearest(start: Path) -> Path | None:
    return next((one for one in (start, *start.parents) if (one / ".git").exists()), None)


@contextmanager
def open_repository(path: Path) -> Iterator[Repository]:
    """Open the repository that a path lies in; raises WrongUsage where it lies in none, or Git is not installed."""
    root = root_of(path)
    if root is None:
        hint = "a review compares two revisions of a repository; `validate` needs none"
        raise WrongUsage(f"`{path}` lies in no Git repository", hint=hint)
    program = shutil.which("git")
    if program is None or not Path(program).is_absolute():
        raise WrongUsage("Git is not installed", hint="a review reads two revisions with it")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    import git

    made = git.Git(str(root))
    made.update_environment(**_QUIET, **_settings(), GIT_DIR=str(root / ".git"), GIT_WORK_TREE=str(root))
    try:
        yield Repository(made, root)
    finally:
        made.clear_cache()


def _settings() -> dict[str, str]:
    """Return our settings behind those that the caller gave Git by its environment."""
    given = os.environ.get("GIT_CONFIG_COUNT", "")
    first = int(given) if given.isdecimal() else 0
    said = {"GIT_CONFIG_COUNT": str(first + len(_SETTINGS))}
    for number, (name, value) in enumerate(_SETTINGS.items(), first):
        said |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return said


@dataclass(frozen=True)
class Tree:
    """The files of one commit."""

    repository: Repository
    commit: str

    def entries(self, directory: PurePosixPath) -> Mapping[str, Entry]:
        """Return what lies at or below a directory, by its path from the root, in order."""
        words = [] if directory == PurePosixPath() else ["--", directory.as_posix()]
        listed = self.repository.listing("-r", self.commit, *words)
        return dict(_parsed(line) for line in listed.split("\0") if line)

    def entry(self, path: PurePosixPath) -> Entry | None:
        """Return one entry, a directory's too; None where there is none."""
        listed = self.repository.listing(self.commit, "--", path.as_posix())
        return dict(_parsed(line) for line in listed.split("\0") if line).get(path.as_posix())

    @property
    def short(self) -> str:
        """The commit's id as people write it."""
        return self.commit[:12]


def _parsed(line: str) -> tuple[str, Entry]:
    described, _, path = line.partition("\t")
    mode, _, object_id = described.split(" ")
    return path, Entry(mode, object_id)
