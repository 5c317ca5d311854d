"""The documents that one verb writes and another reads: snapshots and saved plans."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schedsync.commands.output import say, write_file
from schedsync.errors import WrongUsage
from schedsync.render import json_

if TYPE_CHECKING:
    from schedsync.planning.documents import SavedPlan
    from schedsync.planning.plan import Plan
    from schedsync.planning.snapshot import Snapshot

#: A snapshot that is older than this gets a warning.
_FRESH = timedelta(days=7)


def load_snapshot(file: Path) -> Snapshot:
    """Read a snapshot, and warn if it is old; raises WrongUsage if the file is no snapshot."""
    from schedsync.planning.snapshot import snapshot_from
    from schedsync.schemas.validator import SNAPSHOT, problems

    values: Any = None
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        snapshot = snapshot_from(values)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        problem = str(error) if values is None else next(iter(problems(values, SNAPSHOT)), str(error))
        hint = "make one by `schedsync snapshot --out FILE`"
        raise WrongUsage(f"`{file}` is no snapshot: {problem}", hint=hint) from error
    _warn_if_old(snapshot)
    return snapshot


def _warn_if_old(snapshot: Snapshot) -> None:
    age = datetime.now(timezone.utc) - snapshot.created_at
    if age > _FRESH:
        say(f"warning: the snapshot is {age.days} days old")


def read_plan(file: Path) -> SavedPlan:
    """Read a saved plan; raises WrongUsage if the file is no plan."""
    from schedsync.planning.documents import saved_plan
    from schedsync.schemas.validator import PLAN, problems

    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _no_plan(file, str(error)) from error
    try:
        return saved_plan(values)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _no_plan(file, next(iter(problems(values, PLAN)), str(error))) from error


def _no_plan(file: Path, problem: str) -> WrongUsage:
    return WrongUsage(f"`{file}` is no saved plan: {problem}", hint="make one by `schedsync plan --out FILE`")


def save_plan(plan: Plan, file: Path, flag: str) -> None:
    """Write a plan to a file; ``flag`` is the option of ``apply`` that takes it."""
    write_file(json_.compact_plan(plan), file)
    say(f"saved to {file}, for `schedsync apply {flag} {file}`")
