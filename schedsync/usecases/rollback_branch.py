"""The commit that takes a rolled-back state into Git too: on a new branch, for a pull request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from schedsync.config import DEFAULT_PATH
from schedsync.database.faults import database_errors
from schedsync.database.runs import commit_before
from schedsync.errors import Failed
from schedsync.git import revert
from schedsync.git.repository import Repository, open_repository
from schedsync.usecases.rollback import RollbackOrder, WayBack
from schedsync.usecases.target import Target


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch that can be made: its commit, and the message."""

    revert: revert.Revert
    message: str
    start: Path


def prepared_branch(target: Target, order: RollbackOrder, way: WayBack, name: str) -> Branch:
    """Return the branch for a way back, without making it.

    Raises WrongUsage where there is no repository or the name cannot be used; Failed where nobody knows from which
    commits the files came, where files were changed since, or nothing differs.
    """
    start = Path(order.path or DEFAULT_PATH)
    with open_repository(start) as repository:
        bad, good = _commits(target, way, repository)
        paths = [repository.inside(path) for path in target.config.paths]
        found = revert.prepare(repository, name, paths, bad, good)
    return Branch(found, _message(target, order, way, (bad, good), paths), start)


def make_branch(branch: Branch) -> str:
    """Make the branch, and return its commit; raises Failed where Git cannot."""
    with open_repository(branch.start) as repository:
        return revert.write(repository, branch.revert, branch.message)


def _commits(target: Target, way: WayBack, repository: Repository) -> tuple[str, str]:
    """Return the commits from which and to which the files go back."""
    if way.of is None:
        bad, good = way.plan.binding.commit, way.commit
    else:
        bad = way.of.binding.commit
        with database_errors(target.using):
            good = commit_before(target.using, way.of)
    if bad is None or good is None:
        hint = "revert it by hand, or give the COMMIT to go back to"
        raise Failed("nobody knows from which commits the files came, so no branch can be made", hint=hint)
    return repository.commit(bad), repository.commit(good)


def _message(
    target: Target, order: RollbackOrder, way: WayBack, commits: tuple[str, str], paths: Sequence[PurePosixPath]
) -> str:
    bad, good = commits
    to = f"before run {str(way.of.id)[:8]}" if way.of is not None else good[:12]
    below = ", ".join(path.as_posix() for path in paths)
    reason = " ".join((order.reason or "").split())
    return (
        f"Roll back the schedules of {target.config.set} to {to}\n\n"
        f"{reason}\n\nThis brings {below} from {bad} back to {good}.\n"
    )
