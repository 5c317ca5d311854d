"""A commit on a new branch, made without the work tree and the index: both stay as they are.

No hook and no filter runs, as with everything that we ask Git for.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from schedsync.errors import Failed, WrongUsage
from schedsync.files.discover import printable_path
from schedsync.git.entries import LINK, SUBMODULE, Entry
from schedsync.git.repository import Repository, blob_id, open_repository


def check_branch(path: Path, branch: str) -> None:
    """Raise WrongUsage where a repository cannot get a branch of this name, or has one already."""
    with open_repository(path) as repository:
        _check(repository, branch)


def _check(repository: Repository, branch: str) -> str:
    """Return the id of the commit that is checked out; raises WrongUsage as ``check_branch`` does."""
    if branch.startswith("-") or _git(repository, ["check-ref-format", "--branch", branch]) is None:
        raise WrongUsage(f"`{printable_path(branch)[:200]}` is not a valid name of a branch")
    if repository.find(f"refs/heads/{branch}") is not None:
        raise WrongUsage(f"the branch `{branch}` exists already", hint="give another name, or delete it first")
    return repository.commit("HEAD")


def commit_on_branch(files: Mapping[Path, tuple[bytes, bytes]], branch: str, message: str) -> str:
    """Commit files, each given before and after, on a new branch of the current commit; returns the commit's id.

    Raises WrongUsage where there is such a branch, Failed where a file differs from the current commit or Git refuses.
    """
    first = next(iter(files))
    with open_repository(first) as repository, tempfile.TemporaryDirectory() as directory:
        head = _check(repository, branch)
        index = {"GIT_INDEX_FILE": str(Path(directory) / "index")}
        _run(repository, ["read-tree", head], index)
        for path, (before, after) in files.items():
            name, entry = _committed(repository, head, path)
            data = _as_committed(repository, name, entry, before, after)
            blob = _object(repository, data, Path(directory) / "blob")
            _run(repository, ["update-index", "--cacheinfo", f"{entry.mode},{blob},{name}"], index)
        tree = _run(repository, ["write-tree", "--missing-ok"], index)
        text = Path(directory) / "message"
        text.write_text(message, encoding="utf-8")
        commit = _run(repository, ["commit-tree", tree, "-p", head, "-F", str(text)])
        # A branch that is new has no former commit.
        _run(repository, ["update-ref", f"refs/heads/{branch}", commit, "0" * len(commit)])
        return commit


def _committed(repository: Repository, head: str, path: Path) -> tuple[str, Entry]:
    inside = repository.inside(path)
    entry = repository.tree(head).entry(inside)
    if entry is None or entry.mode in (LINK, SUBMODULE):
        raise Failed(f"`{path}` is not in the current commit", hint="commit it first, or leave out `--branch`")
    return inside.as_posix(), entry


def _as_committed(repository: Repository, name: str, entry: Entry, before: bytes, after: bytes) -> bytes:
    """Return new bytes as Git keeps them: with LF where it converts line ends, so that no filter has to run."""
    if blob_id(before, repository.algorithm) == entry.id:
        return after
    if blob_id(before.replace(b"\r\n", b"\n"), repository.algorithm) == entry.id:
        return after.replace(b"\r\n", b"\n")
    hint = "commit the change first, or leave out `--branch`"
    raise Failed(f"`{printable_path(name)}` differs from the current commit", hint=hint)


def _object(repository: Repository, data: bytes, file: Path) -> str:
    file.write_bytes(data)
    return _run(repository, ["hash-object", "-w", "--no-filters", "--", str(file)])


def _run(repository: Repository, words: list[str], variables: Mapping[str, str] | None = None) -> str:
    status, output, error = repository.git.execute(
        ["git", *words], with_extended_output=True, with_exceptions=False, env=dict(variables or {})
    )
    if status:
        reason = printable_path(" ".join(str(error).split()))[:300]
        hint = "set `user.name` and `user.email` of Git" if "tell me who you are" in reason else None
        raise Failed(f"Git cannot make the commit: {reason}", hint=hint)
    return str(output)


def _git(repository: Repository, words: list[str]) -> str | None:
    status, output, _ = repository.git.execute(["git", *words], with_extended_output=True, with_exceptions=False)
    return None if status else str(output)
