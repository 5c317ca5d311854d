"""Reads the schedules among which a selector chooses: names, sets, queues, owners and labels, in two queries."""

from __future__ import annotations

from django_celery_beat.models import PeriodicTask

from schedsync.core.selector import Candidate
from schedsync.database.bulk import rows_of
from schedsync.database.observe import people_in
from schedsync.database.values import read_values, readable
from schedsync.models import ManagedSchedule


def candidates(using: str) -> list[Candidate]:
    """Return the schedules that a set manages, and the rows that nobody manages, by name; the queue is the row's."""
    by_id, by_name = _queues(using)
    found = {name: Candidate(name, queue=queue) for name, queue in by_name.items()}
    entries = rows_of(ManagedSchedule, using).order_by()
    for values in read_values(entries, ("name", "set", "row_id", "people")):
        name, set_name, row_id, text = map(readable, values, ("", "", None, ""))
        people = people_in(text)
        # Somebody may have renamed the row by hand.
        queue = by_name[name] if name in by_name else by_id.get(row_id)
        found[name] = Candidate(name, set_name, queue, people.owner, people.labels)
    return [found[name] for name in sorted(found)]


def _queues(using: str) -> tuple[dict[int, str | None], dict[str, str | None]]:
    """Return the queue of each row by its id, and by its name."""
    by_id: dict[int, str | None] = {}
    by_name: dict[str, str | None] = {}
    for values in read_values(rows_of(PeriodicTask, using).order_by(), ("id", "name", "queue")):
        row_id, name, queue = map(readable, values, (0, "", None))
        by_id[row_id] = by_name[name] = queue or None
    return by_id, by_name
