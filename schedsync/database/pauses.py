"""The pauses: which are over, and what becomes of them during an apply."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypeVar

from django.db.models import F

from schedsync.core.change import Rename
from schedsync.core.observed import Observed, Paused, Row
from schedsync.core.schedule import completed_at
from schedsync.core.timing import Clocked
from schedsync.database.bulk import BATCH, batches, insert
from schedsync.database.clock import now
from schedsync.database.ledger import names_given_up
from schedsync.database.standing import end_standing
from schedsync.database.write_request import WriteRequest
from schedsync.models import Pause

T = TypeVar("T")


def pauses_over(using: str) -> list[str]:
    """Return the names of the schedules whose pause has reached its end, the earliest end first."""
    over = Pause.objects.using(using).filter(until__lte=now()).order_by("until", "name")
    return list(over.values_list("name", flat=True))


def pauses_ending(using: str, at: datetime, within: timedelta, longer: timedelta, most: int) -> list[Paused]:
    """Return the pauses that end ``within`` this time after ``at``, the earliest end first, ``most`` at most.

    Only those that last ``longer`` than this in all.
    """
    rows = Pause.objects.using(using).filter(until__gt=at, until__lte=at + within)
    rows = rows.filter(until__gt=F("since") + longer).order_by("until", "name")[:most]
    return [Paused(row.name, row.reason, row.who, row.since, row.until, row.held) for row in rows]


def why_done(row: Row, at: datetime, *, paused: bool) -> str | None:
    """Return why a row must not be enabled, as text for a hint: it has no run left, or Beat would stop at it."""
    if row.spec is None or row.problems:
        return "its row is broken; `schedsync apply` writes it again"
    if completed_at(row.spec, at):
        return "its time has passed"
    if not row.spec.one_off or (isinstance(row.spec.timing, Clocked) and row.spec.timing.at > at):
        return None
    if row.spec.start_at is not None and row.spec.start_at > at:
        return None
    return "it runs once, and has run" if row.total_run_count or not paused else None


def follow_changes(request: WriteRequest, observed: Observed) -> tuple[Paused, ...]:
    """Rename pauses with their schedules, and delete those that are over or have lost their schedule.

    Schedules that come under a standing pause get theirs. Returns the pauses that end, by name.
    """
    end_standing(request.using, [pause for pause in observed.standing if pause.ended(request.now)])
    renamed = {change.old_name: change.name for change in request.changes if isinstance(change, Rename)}
    over = names_given_up(request) | _names_over(request, observed)
    moving = {old: new for old, new in renamed.items() if old in observed.pauses and old not in over}
    pauses = Pause.objects.using(request.using)
    moved = list(pauses.filter(name__in=list(moving))) if moving else []
    new = {pause.name for pause in request.joined}
    ended = over & observed.pauses.keys()
    for batch in batches(sorted(ended | moving.keys() | set(moving.values()) | new)):
        pauses.filter(name__in=batch).delete()
    for pause in moved:
        pause.pk, pause.name = None, moving[pause.name]
    pauses.bulk_create(moved, batch_size=BATCH)
    insert(request.using, Pause, [pause_columns(pause) for pause in request.joined])
    return tuple(observed.pauses[name] for name in sorted(ended))


def pause_columns(pause: Paused) -> dict[str, object]:
    """Return the columns of a pause."""
    return {
        "name": pause.name,
        "reason": pause.reason,
        "who": pause.who,
        "since": pause.since,
        "until": pause.until,
        "held": pause.was_held,
    }


def _names_over(request: WriteRequest, observed: Observed) -> set[str]:
    """Return the names whose pause has ended, and whose row is by now as it was before the pause."""
    ended = [pause for pause in observed.pauses.values() if pause.ended(request.now)]
    return {pause.name for pause in ended if pause.was_held or _is_as_applied(pause, request, observed)}


def _is_as_applied(pause: Paused, request: WriteRequest, observed: Observed) -> bool:
    """Say whether a row, after this request, has the ``enabled`` of the files; true where nothing can be compared."""
    change = next((change for change in request.changes if change.name == pause.name), None)
    if change is not None:
        return change.after is not None and change.ledger is not None and change.after.enabled == change.ledger.enabled
    row, managed = observed.rows.get(pause.name), observed.ledger.get(pause.name)
    return row is None or row.spec is None or managed is None or row.spec.enabled == managed.was_enabled
