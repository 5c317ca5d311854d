"""Reads all that a page about one schedule shows: its state, its runs, why, and who changed it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from schedsync.calendar.ticks import count, tick_after
from schedsync.core.history import History
from schedsync.core.history import Wanted as WantedHistory
from schedsync.core.listing import ListedSchedule, Listing
from schedsync.core.observed import Managed
from schedsync.core.origin import Binding
from schedsync.core.schedule import Spec
from schedsync.core.timing import Clocked
from schedsync.core.why import Explanation
from schedsync.database.audit import last_binding
from schedsync.database.faults import database_errors
from schedsync.database.listed_names import name_of_row, row_of_name
from schedsync.database.why_rows import find
from schedsync.usecases.history import history
from schedsync.usecases.list_ import list_named
from schedsync.usecases.why import why

#: How many runs ahead, and at least how many of the past, and how many changes are shown.
AHEAD, BEHIND, CHANGES = 5, 5, 20
#: How far back to look for runs of the past: as far as is needed for that many.
_SPANS = (timedelta(minutes=10), timedelta(hours=6), timedelta(days=1), timedelta(days=8), timedelta(days=62))


@dataclass(frozen=True)
class OneSchedule:
    """All that is known of a schedule.

    ``row_id`` is the id of its row, None where it has none. ``listed`` is None where only records know the name.
    ``ahead`` are its next runs. ``last`` is where its set was applied from last, None where that is not known.
    """

    name: str
    row_id: int | None
    listing: Listing
    explanation: Explanation
    history: History
    ahead: tuple[datetime, ...] = ()
    last: Binding | None = None

    @property
    def listed(self) -> ListedSchedule | None:
        """Its state, timing and runs."""
        return self.listing.schedules[0] if self.listing.schedules else None

    @property
    def managed(self) -> Managed | None:
        """Its entry in the ledger; None where no set manages it."""
        return self.explanation.managed


def name_of(using: str, row_id: int) -> str | None:
    """Return the name of the row with an id, or None; raises Unavailable where the database does not answer."""
    with database_errors(using):
        return name_of_row(using, row_id)


def id_of(using: str, name: str) -> int | None:
    """Return the id of the row with exactly this name, or None; raises Unavailable as :func:`name_of` does."""
    with database_errors(using):
        return row_of_name(using, name)


def managed_name(using: str, name: str) -> str:
    """Return the name by which the verbs know a schedule: the ledger's, also where somebody has renamed its row.

    Raises Unavailable where the database does not answer.
    """
    with database_errors(using):
        managed = find(using, name).managed
    return name if managed is None else managed.name


def one_schedule(using: str, name: str) -> OneSchedule:
    """Read all of one schedule.

    Raises UnknownSchedule where no schedule has or had this name, Unavailable where the database does not answer.
    """
    listing = list_named(using, [name])
    spec = listing.schedules[0].spec if listing.schedules else None
    explanation = why(using, name, since=_since(spec, listing.at))
    managed = explanation.managed
    if managed is not None and managed.name != name:
        # Somebody has renamed the row: the ledger knows it under its own name.
        listing = list_named(using, [managed.name])
    with database_errors(using):
        binding = last_binding(using, managed.set) if managed is not None else None
    return OneSchedule(
        name=managed.name if managed is not None else explanation.name,
        row_id=id_of(using, explanation.name),
        listing=listing,
        explanation=explanation,
        history=history(using, WantedHistory(names=(explanation.name,), limit=CHANGES, verbose=True)),
        ahead=_ahead(listing),
        last=binding,
    )


def _since(spec: Spec | None, now: datetime) -> timedelta:
    """Return how far back the last runs are."""
    if spec is None or isinstance(spec.timing, Clocked):
        return _SPANS[-1]
    for span in _SPANS:
        first = tick_after(spec.timing, now - span)
        if first is not None and first <= now and count(spec.timing, first, now) >= BEHIND:
            return span
    return _SPANS[-1]


def _ahead(listing: Listing) -> tuple[datetime, ...]:
    """Return the next runs from the one that the list names; one that runs once has no more."""
    listed = listing.schedules[0] if listing.schedules else None
    spec = listed.spec if listed else None
    if listed is None or spec is None or listed.next_run is None:
        return ()
    if spec.one_off or isinstance(spec.timing, Clocked):
        return (listed.next_run,)
    return tuple(islice(_runs(spec, listed.next_run), AHEAD))


def _runs(spec: Spec, tick: datetime | None) -> Iterator[datetime]:
    while tick is not None and (spec.expires_at is None or tick < spec.expires_at):
        yield tick
        tick = tick_after(spec.timing, tick)
