"""Audit records of runs by hand, and the progress of runs of the past, which are continued after a crash."""

from __future__ import annotations

import json
import uuid
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from schedsync.core.hand_run import PastRecord, PastRequest, PastTick, SentNow
from schedsync.core.schedule import canonical_json
from schedsync.core.selector import selector_document, selector_from, selector_text
from schedsync.core.timing import MICROSECOND, instant, instant_text
from schedsync.database import audit
from schedsync.errors import Failed
from schedsync.models import SyncRun

#: The verbs of the audit records.
NOW, PAST = "run", "run_past"
#: schedsync writes no larger record.
_LARGEST = 2**20


def record_now(using: str, sent: SentNow, who: str, arguments: Mapping[str, Any]) -> None:
    """Write the audit record of one message, in the caller's transaction; ``arguments`` are masked already."""
    document = {"kind": NOW, "name": sent.name, "task": sent.task, "task_id": sent.task_id, **arguments}
    changes = audit.packed([document])
    audit.record(using, NOW, sent.set, who, sent.at, {NOW: 1}, changes=changes)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a request has come: its audit record, the number of ticks that were sent, and the last one of them.

    ``at`` is when it began.
    """

    run: uuid.UUID
    at: datetime
    sent: int = 0
    last: tuple[datetime, str] | None = None
    done: bool = False

    @property
    def summary(self) -> str:
        """The counts as the audit record has them; no two steps have the same."""
        return canonical_json({PAST: self.sent, "done": int(self.done)})

    def is_behind(self, tick: PastTick) -> bool:
        """Say whether a tick comes after the last one that was sent."""
        return self.last is None or self.last < (tick.tick, tick.name)


def progress_of(using: str, request: PastRequest) -> Progress | None:
    """Return how far the last call with the same arguments has come; None where there was none.

    One whose record cannot be read counts as done, and as if it had sent nothing.
    """
    records = SyncRun.objects.using(using).filter(verb=PAST, checksum=request.digest).order_by("-at")[:1]
    for run, at, changes in records.values_list("pk", "at", "changes"):
        try:
            text = zlib.decompressobj().decompress(bytes(changes), _LARGEST)
            document = json.loads(text)[0]
            return Progress(run, at, int(document["sent"]), _last(document), document["done"] is True)
        except (zlib.error, ValueError, LookupError, TypeError):
            return Progress(run, at, done=True)
    return None


def _last(document: Mapping[str, Any]) -> tuple[datetime, str] | None:
    last = document["last"]
    return (instant(last[0]), str(last[1])) if last else None


def past_record(changes: bytes, who: str, at: datetime) -> PastRecord | None:
    """Read what a record says, from its changes as JSON; None where they cannot be read."""
    try:
        document = json.loads(changes)[0]
        selector = selector_from(document["selects"])
        since, until = instant(document["from"]), instant(document["to"])
        return PastRecord(selector, since, until, document["missing"] is True, who, at, _last(document))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def begin(
    using: str,
    request: PastRequest,
    set_name: str,
    names: Collection[str],
    who: str,
    at: datetime,
    before: Progress | None = None,
) -> Progress:
    """Write the audit record of a request of which nothing was sent yet; ``before`` is the last one that is done.

    ``names`` are the schedules. Raises Failed where another process has begun the same request after the same one.
    """
    if before is not None:
        # The clock may have been set back, and the last record is found by its time.
        at = max(at, before.at + MICROSECOND)
    # Of two processes that begin at the same time, the id lets only one write its record.
    progress = Progress(uuid.uuid5(before.run if before else uuid.NAMESPACE_OID, request.digest), at)
    try:
        with transaction.atomic(using=using):
            audit.record(
                using, PAST, set_name, who, at, json.loads(progress.summary),
                run=progress.run, checksum=request.digest, changes=_changes(request, progress), names=sorted(names),
            )  # fmt: skip
    except IntegrityError as error:
        raise another_goes_on() from error
    return progress


def another_goes_on() -> Failed:
    """Return the error of a process that another one has overtaken."""
    return Failed("another process goes on with this run", hint="wait until it has ended")


def go_on(using: str, request: PastRequest, before: Progress, after: Progress) -> bool:
    """Write how far a request has come; returns False where another process has written it meanwhile."""
    record = SyncRun.objects.using(using).filter(pk=before.run, summary=before.summary)
    return bool(record.update(summary=after.summary, changes=_changes(request, after)))


def _changes(request: PastRequest, progress: Progress) -> bytes:
    last = progress.last and [instant_text(progress.last[0]), progress.last[1]]
    span = {"from": instant_text(request.since), "to": instant_text(request.until), "missing": request.missing}
    selector = {"selector": selector_text(request.selector), "selects": selector_document(request.selector)}
    document = {"kind": PAST, **selector, **span}
    return audit.packed([{**document, "sent": progress.sent, "last": last, "done": progress.done}])
