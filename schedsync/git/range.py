"""The two commits that a review compares, by the names that the user or CI gives."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass

from schedsync.errors import WrongUsage
from schedsync.files.discover import printable_path
from schedsync.git.repository import OBJECT_ID, Repository

_BRANCHES, _REMOTE_BRANCHES = "refs/heads/", "refs/remotes/origin/"
#: Variables in which CI names the branch that a change will be merged into. The fork's author chooses none of them.
_TARGET_BRANCHES = (
    "GITHUB_BASE_REF",
    "CI_MERGE_REQUEST_TARGET_BRANCH_NAME",
    "BITBUCKET_PR_DESTINATION_BRANCH",
    "SYSTEM_PULLREQUEST_TARGETBRANCH",
    "CHANGE_TARGET",
)
#: The variable in which GitLab names the commit at which a merge request began.
_TARGET_COMMIT = "CI_MERGE_REQUEST_DIFF_BASE_SHA"
_DEFAULT_BRANCHES = (
    "refs/remotes/origin/HEAD", "refs/remotes/origin/main", "refs/remotes/origin/master",
    "refs/heads/main", "refs/heads/master",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Range:
    """Two commits by their ids, ``head`` None for the work tree; the names are how the user or CI named them."""

    base: str
    base_name: str
    head: str | None
    head_name: str | None = None


def range_of(repository: Repository, base: str | None, head: str | None) -> Range:
    """Return the commits of BASE and HEAD, which may be one range of Git's: ``A..B`` or ``A...B``.

    Without BASE, it is the commit at which the head left the branch that it will be merged into. Raises WrongUsage
    where a commit is not in this clone; the hint says what to fetch.
    """
    left, dots, right = (base or "").partition("..")
    if not dots:
        tip = repository.commit(head) if head is not None else None
        if base is not None:
            return Range(repository.commit(base), base, tip, head)
        return _since_it_began(repository, tip, head)
    if head is not None:
        hint = "leave out HEAD, or give two names without dots"
        raise WrongUsage(f"`{printable_path(base or '')}` names both revisions, and HEAD names one more", hint=hint)
    left = left or "HEAD"
    name = right.removeprefix(".") or "HEAD"
    start, end = repository.commit(left), repository.commit(name)
    # Three dots mean: since HEAD left the other branch.
    return Range(_merge_base(repository, start, end) if right.startswith(".") else start, left, end, name)


def _since_it_began(repository: Repository, tip: str | None, tip_name: str | None) -> Range:
    """Return the range from the commit at which a commit, None for the checked-out one, left its target."""
    commit = tip or repository.commit("HEAD")
    name, target = _target(repository)
    return Range(_merge_base(repository, target, commit), name, tip, tip_name)


def _merge_base(repository: Repository, target: str, tip: str) -> str:
    """Return the commit at which a commit left another one's history; raises WrongUsage if it is not known."""
    commit = repository.merge_base(target, tip)
    if commit is None:
        hint = "give BASE"
        if repository.shallow:
            hint = "fetch more of the history: `git fetch --unshallow`, or `fetch-depth: 0` in CI; or give BASE"
        raise WrongUsage("cannot tell where this branch began", hint=hint)
    return commit


def _target(repository: Repository) -> tuple[str, str]:
    """Return the name and the commit that the head will be merged into, as CI names it, else the default branch."""
    named = _named_by_ci()
    for name, reference, _ in named:
        if commit := repository.find(reference):
            return name, commit
    if named:
        name, _, variable = named[0]
        message = f"`{printable_path(name)}`, the base that {variable} names, is not in this clone"
        raise WrongUsage(message, hint=_how_to_fetch(repository, name))
    for reference in _DEFAULT_BRANCHES:
        if commit := repository.find(reference):
            return repository.short_name(reference), commit
    hint = "give BASE, or fetch the default branch: `git fetch origin main`"
    raise WrongUsage("no default branch to compare with", hint=hint)


def _named_by_ci() -> list[tuple[str, str, str]]:
    """Return what CI names as the base: its name, the reference to look for, and the variable."""
    named = []
    if commit := os.environ.get(_TARGET_COMMIT):
        named.append((commit, commit, _TARGET_COMMIT))
    for variable in _TARGET_BRANCHES:
        if branch := os.environ.get(variable, "").removeprefix(_BRANCHES):
            named.append((branch, _REMOTE_BRANCHES + branch, variable))
    return named


def _how_to_fetch(repository: Repository, name: str) -> str:
    what = name if OBJECT_ID.match(name) else f"+{_BRANCHES}{name}:{_REMOTE_BRANCHES}{name}"
    fetch = "fetch it: `git fetch --unshallow origin" if repository.shallow else "fetch it: `git fetch origin"
    return f"{fetch} {shlex.quote(printable_path(what))}`, or `fetch-depth: 0` in CI"
