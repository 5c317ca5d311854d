"""A run that has not ended, as Beat and the workers know it, and how long it counts as running."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from schedsync.core.timing import TimingError, instant, instant_text

#: The batch of a claim whose tick was passed over because the last run had not ended: nothing was sent for it.
PASSED_BY = uuid.UUID(int=0)
#: How the journal's reason begins where a run left a tick out: it was on a worker, or it waited in its queue.
_ON_WORKER, _IN_QUEUE = "running", "queued"


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run by its task's id: when it was sent, when it started, and on which worker, empty where it has not started.

    A run that was neither sent nor started counts for nothing: its message was dropped.
    """

    task_id: str
    sent_at: datetime | None = None
    started_at: datetime | None = None
    worker: str = ""

    @property
    def since(self) -> datetime | None:
        """When it started, else when it was sent, or None."""
        return self.started_at or self.sent_at

    def counts_until(self, max_runtime: int, expires_after: int | None) -> datetime | None:
        """Return until when it counts as running, or None; both arguments are in seconds.

        A message that no worker has taken counts no longer than until it expires.
        """
        if self.since is None:
            return None
        in_queue = self.started_at is None and expires_after
        seconds = min(max_runtime, expires_after or max_runtime) if in_queue else max_runtime
        try:
            return self.since + timedelta(seconds=seconds)
        except OverflowError:
            return datetime.max.replace(tzinfo=self.since.tzinfo)

    @property
    def reason(self) -> str:
        """The run as the journal notes it, in one line."""
        state = _IN_QUEUE if self.started_at is None else _ON_WORKER
        since = "" if self.since is None else instant_text(self.since)
        return f"{state} {self.task_id} {since} {self.worker}".rstrip()


def run_of_reason(reason: str) -> OpenRun | None:
    """Read a run from the reason that the journal has for a tick; None where the reason is another one."""
    state, *rest = reason.split(" ", 3)
    if state not in (_ON_WORKER, _IN_QUEUE) or len(rest) < 2:
        return None
    try:
        since = instant(rest[1])
    except TimingError:
        return None
    if state == _IN_QUEUE:
        return OpenRun(rest[0], sent_at=since)
    return OpenRun(rest[0], started_at=since, worker=rest[2] if len(rest) > 2 else "")
