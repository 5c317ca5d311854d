"""Which commits the tables say were applied last: an agent on a new host, or one that stood by, did not apply them.

The tables only make the proposal: Git has to confirm it.
"""

from __future__ import annotations

from collections.abc import Iterator

from schedsync.core.origin import commit_from
from schedsync.database.applied_files import kept_files
from schedsync.database.faults import database_errors
from schedsync.git.repository import OBJECT_ID

#: The sets of the environment that are looked at, the ones applied last first.
_MOST = 100


def applied_commits(using: str, environment: str | None) -> Iterator[tuple[str, str]]:
    """Yield each set that was applied in an environment, with the id of its commit; the one applied last comes first.

    Raises Unavailable where the database does not answer.
    """
    with database_errors(using):
        kept = [files for files in kept_files(using) if files.environment == environment]
    for files in kept[:_MOST]:
        commit, dirty = commit_from(files.commit)
        if commit is not None and not dirty and OBJECT_ID.match(commit):
            yield files.set, commit
