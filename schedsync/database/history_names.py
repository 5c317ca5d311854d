"""Writes and reads which names each audit record is about, so that a name's records are found without unpacking all."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F, Lookup, Q, QuerySet

from schedsync.core.adoption import matches
from schedsync.core.history import Life
from schedsync.database.bulk import insert, rows_of
from schedsync.database.values import Damaged, Unreadable, read_values
from schedsync.models import HistoryName
from schedsync.planning.named import Named

#: How many rows a call reads of the names that it looks for.
MOST_ENTRIES = 20_000
#: How many renames of one schedule are followed, in each direction.
_MOST_RENAMES = 10
_BRACKETS = re.compile(r"\[[^\]]{1,200}\]")
_COLUMNS = ("run", "at", "name", "old_name", "new_name")


@dataclass(frozen=True, slots=True)
class Entry:
    """A record that is about a name."""

    run: uuid.UUID
    at: datetime
    named: Named


def write_names(using: str, run: uuid.UUID, at: datetime, named: Iterable[Named]) -> None:
    """Write the names of a record, in the caller's transaction and a fixed number of statements per batch."""
    rows = [
        {"name": each.name, "at": at, "run": run, "old_name": each.old_name, "new_name": each.new_name}
        for each in named
    ]
    insert(using, HistoryName, rows)


def lives_of(using: str, name: str, others: Sequence[Entry] = ()) -> list[Life]:
    """Return the names of the schedule that has or had this name, its last one first.

    ``others`` are entries of records that have no rows yet. A name that was given away, and not used since, leads to
    the schedule that has the new one.
    """
    lives = [Life(_last_name(using, name, others))]
    for _ in range(_MOST_RENAMES):
        life = lives[-1]
        found = _renames(using, life.name, others)
        renames = [each for each in found if each.named.old_name is not None and life.has(life.name, each.at)]
        old_name = renames[0].named.old_name if renames else None
        if old_name is None:
            break
        lives.append(Life(old_name, renames[0].at))
    return lives


def _last_name(using: str, name: str, others: Sequence[Entry]) -> str:
    for _ in range(_MOST_RENAMES):
        last = next(iter(_newest(_of_name(using, name), others, name)), None)
        if last is None or last.named.new_name is None or last.named.old_name is not None:
            break
        name = last.named.new_name
    return name


def _renames(using: str, name: str, others: Sequence[Entry]) -> list[Entry]:
    return _newest(_of_name(using, name).exclude(old_name=None), others, name)


def _of_name(using: str, name: str) -> QuerySet[Any]:
    rows: QuerySet[Any] = rows_of(HistoryName, using).filter(name=name)
    return rows


def _newest(rows: QuerySet[Any], others: Sequence[Entry], name: str) -> list[Entry]:
    found = _entries(rows.order_by("-at")[:_MOST_RENAMES])
    # The database may take other names for this one.
    return sorted(
        (entry for entry in (*found, *others) if entry.named.name == name), key=lambda entry: entry.at, reverse=True
    )


def runs_of(
    using: str, lives: Sequence[Life], globs: Sequence[str], since: datetime | None, until: datetime | None
) -> dict[uuid.UUID, datetime]:
    """Return the records that are about names in their times, and about names that a glob may fit, with their times.

    The newest first, at most MOST_ENTRIES of each, in two queries.
    """
    rows = within(rows_of(HistoryName, using), since, until).order_by("-at")
    of_lives, of_globs = _conditions(lives, globs)
    entries = _entries(rows.filter(of_lives)[:MOST_ENTRIES]) if lives else []
    found = {entry.run: entry.at for entry in entries if is_wanted(entry, lives, ())}
    if globs:
        read = read_values(rows.filter(of_globs).distinct()[:MOST_ENTRIES], ("run", "at"))
        found |= {values[0]: values[1] for values in read if not isinstance(values, Damaged)}
    return dict(sorted(found.items(), key=lambda run: (run[1], str(run[0])), reverse=True))


def first_time(using: str, lives: Sequence[Life], globs: Sequence[str]) -> datetime | None:
    """Return the time of the first record about names in their times, or about names that a glob may fit; or None."""
    of_lives, of_globs = _conditions(lives, globs)
    rows = rows_of(HistoryName, using).filter(of_lives | of_globs).order_by("at")
    return next((at for (at,) in read_values(rows[:1], ("at",)) if not isinstance(at, Unreadable)), None)


def _conditions(lives: Sequence[Life], globs: Sequence[str]) -> tuple[Q, Q]:
    of_lives, of_globs = Q(pk__in=[]), Q(pk__in=[])
    for life in lives:
        of_lives |= Q(name=life.name) if life.until is None else Q(name=life.name, at__lt=life.until)
    for glob in globs:
        of_globs |= Q(Like(F("name"), glob))
    return of_lives, of_globs


class Like(Lookup):
    """A condition for ``filter``: a glob may fit the text. Some databases take no notice of upper and lower case."""

    prepare_rhs = False

    def __init__(self, lhs: F, glob: str) -> None:
        escaped = (f"!{character}" if character in "!%_" else character for character in glob)
        pattern = "".join(escaped).replace("*", "%").replace("?", "_")
        # What stands in brackets is one character, and tested afterwards.
        super().__init__(lhs, _BRACKETS.sub("_", pattern))

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """Return the SQL."""
        column, values = self.process_lhs(compiler, connection)
        return f"{column} LIKE %s ESCAPE '!'", (*values, self.rhs)


def is_wanted(entry: Entry, lives: Sequence[Life], globs: Sequence[str]) -> bool:
    """Say whether an entry is of one of the names in its time, or its name fits a glob."""
    name = entry.named.name
    return any(life.has(name, entry.at) for life in lives) or any(matches(glob, name) for glob in globs)


def within(rows: QuerySet[Any], since: datetime | None, until: datetime | None) -> QuerySet[Any]:
    """Return the rows from ``since`` on and before ``until``."""
    bounds: Mapping[str, datetime | None] = {"at__gte": since, "at__lt": until}
    found: QuerySet[Any] = rows.filter(**{bound: at for bound, at in bounds.items() if at is not None})
    return found


def _entries(rows: QuerySet[Any]) -> list[Entry]:
    found = [values for values in read_values(rows, _COLUMNS) if not isinstance(values, Damaged)]
    return [Entry(run, at, Named(*names)) for run, at, *names in found]
