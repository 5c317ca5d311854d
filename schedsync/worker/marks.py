"""Which Celery applications track their runs: Beat and the workers import the same module, so Beat knows it too."""

from __future__ import annotations

from typing import Any

#: The header of messages whose runs are tracked.
HEADER = "schedsync_overlap"
_MARK = "schedsync_tracks_runs"


def mark(app: Any) -> None:
    """Note that an application tracks its runs."""
    setattr(app, _MARK, True)


def is_tracked(app: Any) -> bool:
    """Say whether :func:`schedsync.worker.track_runs` was called for an application; it may be Celery's proxy."""
    return bool(getattr(app, _MARK, False))
