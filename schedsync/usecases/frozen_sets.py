"""Tells which sets are frozen now, from what their last apply has kept of the configuration."""

from __future__ import annotations

from datetime import datetime

from schedsync.calendar.frozen import frozen
from schedsync.core.freeze import Freeze
from schedsync.core.journal_data import DamagedSegment, beginning_of
from schedsync.core.status import FrozenSet
from schedsync.database.applied_files import desired_documents
from schedsync.database.faults import database_errors
from schedsync.planning.desired_document import freezes_in

#: In bytes: how much of a document is read; the freezes are at its beginning.
_BEGINNING = 64 * 1024


def frozen_sets(using: str, at: datetime) -> tuple[FrozenSet, ...]:
    """Return the sets of which nothing is applied at an instant, by name, in a constant number of queries.

    A freeze of which no apply knew is not known here. Raises Unavailable where the database does not answer.
    """
    found = []
    with database_errors(using):
        for files, desired in desired_documents(using):
            window = frozen(freezes, files.environment, at) if (freezes := _freezes(desired)) else None
            if window is not None:
                found.append(
                    FrozenSet(files.set, files.environment, window.until, window.freeze.reason, files.commit_text)
                )
    return tuple(sorted(found, key=lambda each: each.set))


def _freezes(desired: bytes) -> tuple[Freeze, ...]:
    """Read the freezes of a document. An older or a newer version, or somebody else, may have written it."""
    try:
        return freezes_in(beginning_of(desired, _BEGINNING)) if desired else ()
    except (DamagedSegment, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return ()
