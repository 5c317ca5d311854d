"""A new branch with the files of a set as an earlier commit has them; work tree, index and other branches stay.

Git's plumbing makes it with an index of its own. No hook runs.
"""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from schedsync.core.names import first_names
from schedsync.errors import Failed, WrongUsage
from schedsync.files.discover import printable_path
from schedsync.git.entries import Entry
from schedsync.git.repository import OBJECT_ID, Repository

_NAMED = 5


@dataclass(frozen=True, slots=True)
class Revert:
    """A commit to make: on which commit, for which branch, and the entries that differ there; None deletes a file."""

    branch: str
    parent: str
    entries: Mapping[str, Entry | None]


def prepare(repository: Repository, branch: str, paths: Sequence[PurePosixPath], bad: str, good: str) -> Revert:
    """Return the commit that brings the files below the paths from what they are at ``bad`` to those of ``good``.

    Raises WrongUsage where the branch exists or its name is not valid, Failed where files were changed since ``bad``,
    so that a human must decide, or where nothing differs.
    """
    _check_branch(repository, branch)
    head = repository.find("HEAD")
    if head is None:
        raise Failed("the repository has no commit, so no branch can be made")
    before, after, now = (repository.entries(commit, paths) for commit in (bad, good, head))
    differing = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    changes = {path: after.get(path) for path in sorted(differing) if now.get(path) != after.get(path)}
    by_hand = f"git switch -c {shlex.quote(branch)} && git revert {good[:12]}..{bad[:12]}"
    if conflicts := [path for path in changes if now.get(path) != before.get(path)]:
        names = first_names([f"`{printable_path(path)}`" for path in conflicts], _NAMED)
        raise Failed(f"files were changed since {bad[:12]}, so that a human must revert them: {names}", hint=by_hand)
    if not changes:
        raise Failed("the files are as before already, there is nothing to revert", hint="leave `--branch` out")
    return Revert(branch, head, changes)


def _check_branch(repository: Repository, branch: str) -> None:
    shown = printable_path(branch[:200])
    # With an `@` in front of a brace, or a minus sign, the name would mean something else to Git.
    if branch.startswith("-") or _run(repository, "check-ref-format", f"refs/heads/{branch}")[0]:
        raise WrongUsage(f"`{shown}` is not a valid name of a branch")
    if repository.find(f"refs/heads/{branch}") is not None:
        raise WrongUsage(f"there is a branch `{shown}` already", hint="give another name")


def write(repository: Repository, revert: Revert, message: str) -> str:
    """Make the commit and the branch, and return the commit's id; raises Failed where Git cannot."""
    with tempfile.TemporaryDirectory(prefix="schedsync-") as directory:
        index = {"GIT_INDEX_FILE": str(Path(directory, "index"))}
        _checked(repository, index, "read-tree", revert.parent)
        lines = "".join(_line(path, entry, revert.parent) for path, entry in revert.entries.items())
        _checked(repository, index, "update-index", "-z", "--index-info", given=lines)
        tree = _checked(repository, index, "write-tree")
        commit = _checked(repository, {}, "commit-tree", tree, "-p", revert.parent, given=message)
    # The zeros let Git refuse a branch that somebody has made meanwhile.
    _checked(repository, {}, "update-ref", f"refs/heads/{revert.branch}", commit, "0" * len(commit))
    return commit


def _line(path: str, entry: Entry | None, parent: str) -> str:
    mode, object_id = ("0", "0" * len(parent)) if entry is None else (entry.mode, entry.id)
    return f"{mode} {object_id}\t{path}\0"


def _checked(repository: Repository, environment: Mapping[str, str], *words: str, given: str = "") -> str:
    status, output, error = _run(repository, *words, environment=environment, given=given)
    if status:
        reason = printable_path(" ".join(error.split()))
        raise Failed(f"Git cannot make the branch: {reason}", hint=_hint(reason))
    if words[0].endswith(("write-tree", "commit-tree")) and not OBJECT_ID.match(output):
        raise Failed("Git cannot make the branch: it has named no object")
    return output


def _hint(reason: str) -> str | None:
    if "tell me who you are" in reason or "ident" in reason:
        return "say who you are: `git config user.name NAME` and `git config user.email ADDRESS`"
    return None


def _run(
    repository: Repository, *words: str, environment: Mapping[str, str] | None = None, given: str = ""
) -> tuple[int, str, str]:
    """Return the exit status, the output and the errors of Git, which reads ``given``."""
    with tempfile.TemporaryFile() as stdin:
        stdin.write(given.encode("utf-8", "surrogateescape"))
        stdin.seek(0)
        status, output, error = repository.git.execute(
            ["git", *words],
            istream=stdin,
            env=dict(environment or {}),
            with_extended_output=True,
            with_exceptions=False,
        )
    return int(status), str(output).strip(), str(error)
