"""What a rollback goes back to, and what ends one, as text for a terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from schedsync.core.names import first_names
from schedsync.core.rollback import SHORT, RolledBack
from schedsync.planning.rolled_back import rolled_back_document
from schedsync.render.words import printable, time_text

_NAMED = 5


def before_run(run: str, verb: str, who: str, at: datetime, commit: str | None, now: datetime) -> str:
    """Write which run is rolled back."""
    files = f" of {commit}" if commit else ""
    return printable(f"Back to before run {run[:SHORT]}: {verb}{files} by {who}, {time_text(at, now)}")


def to_commit(commit: str) -> str:
    """Write which commit a set goes back to."""
    return f"Back to the files of commit {commit[:12]}"


def ended_text(marks: Sequence[RolledBack]) -> str:
    """Write which schedules are rolled back no longer."""
    if not marks:
        return "Nothing to end: no schedule of the set is rolled back"
    names = printable(first_names([mark.name for mark in marks], _NAMED))
    return f"Rolled back no longer: {names}\nThe next apply gives them what the files say"


def ended_json(marks: Sequence[RolledBack]) -> str:
    """Write the same as JSON."""
    return json.dumps({"version": 1, "ended": [rolled_back_document(mark) for mark in marks]}, indent=2)
