"""Runs by hand as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from schedsync.core.hand_run import PastRun, SentNow
from schedsync.core.timing import instant_text
from schedsync.errors import SchedsyncError

VERSION = 1


def sent_now(sent: Sequence[SentNow], error: SchedsyncError | None = None) -> str:
    """Return the messages that were sent, and the error that stopped it."""
    runs = [
        {"name": each.name, "set": each.set or None, "task": each.task, "task_id": each.task_id,
         "at": instant_text(each.at), "note": each.note or None}
        for each in sent
    ]  # fmt: skip
    return json.dumps({"version": VERSION, "sent": runs, **_failure(error)})


def past_run(run: PastRun, error: SchedsyncError | None = None, *, dry_run: bool) -> str:
    """Return what became of the ticks of the past."""
    request = run.request
    document = {
        "version": VERSION,
        "dry_run": dry_run,
        "from": instant_text(request.since),
        "to": instant_text(request.until),
        "run": run.run or None,
        "sent_before": run.before,
        "known_as_sent": run.known,
        "unknown": list(run.unknown),
        "notes": list(run.notes),
        "sent": [tick.document() for tick in run.ticks[: run.sent]],
        "left": [tick.document() for tick in run.left],
        "stopped": run.stopped or None,
        "go_on": f"schedsync run {run.words}" if run.left else None,
    }
    return json.dumps({**document, **_failure(error)})


def _failure(error: SchedsyncError | None) -> dict[str, Any]:
    if error is None:
        return {"failure_reason": None}
    return {"failure_reason": error.failure_reason, "message": error.message, "hint": error.hint}
