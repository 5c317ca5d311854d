"""The rows of the tables become drafts; a row that no file should have is left out, with the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from schedsync.core.adoption import matches
from schedsync.core.observed import Managed, Row, Typed
from schedsync.core.schedule import Spec, completed_at
from schedsync.errors import WrongUsage
from schedsync.importers.draft import Draft, LeftOut
from schedsync.importers.spelling import fields_of

#: The reason of the rows that Beat makes itself.
OF_BEAT = "Beat makes this row itself"
_DUAL_WRITER = "Also in CELERY_BEAT_SCHEDULE: remove it there first."


@dataclass(frozen=True, slots=True)
class Tables:
    """What the tables hold, and when they were read.

    ``managed`` are the ledger's entries of all sets. ``dual_writers`` are the names in CELERY_BEAT_SCHEDULE. ``zone``
    is the one in which instants are written. ``typed`` are columns by the ids of their rows, as somebody typed them.
    """

    rows: Sequence[Row]
    managed: Sequence[Managed]
    now: datetime
    zone: tzinfo
    dual_writers: frozenset[str] = frozenset()
    typed: Mapping[int, Typed] = field(default_factory=dict)


@dataclass(slots=True)
class Candidates:
    """The drafts of the rows that can be taken, the names that are left out, and how many rows each set manages."""

    drafts: list[Draft] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    managed: Counter[str] = field(default_factory=Counter)


def candidates(tables: Tables, patterns: Sequence[str], elsewhere: Collection[str] = ()) -> Candidates:
    """Return the drafts of the rows whose names fit a pattern; without patterns, of all rows.

    Rows with a name of ``elsewhere``, which another source defines, are passed over. Raises WrongUsage where a pattern
    fits no row.
    """
    result = Candidates()
    sets = {entry.name: entry.set for entry in tables.managed}
    renamed = {entry.row_id: entry for entry in tables.managed if entry.row_id is not None}
    spelled = {name.casefold(): name for name in (*elsewhere, *sets)}
    for row in _chosen(tables.rows, patterns):
        if row.name in elsewhere:
            continue
        if row.name in sets:
            result.managed[sets[row.name]] += 1
            continue
        reason = _reason(row, renamed.get(row.id), tables.now) or same_but_for_case(row.name, spelled)
        if reason is not None or row.spec is None:
            owner = row.spec or tables.typed.get(row.id)
            result.left_out.append(LeftOut(row.name, reason or "broken, it cannot be read", owner))
            continue
        spelled[row.name.casefold()] = row.name
        notes = (_DUAL_WRITER,) if row.name in tables.dual_writers else ()
        fields = fields_of(row.spec, tables.zone, tables.typed.get(row.id))
        result.drafts.append(Draft(row.name, fields, {row.name: row.spec}, notes))
    return result


def _chosen(rows: Sequence[Row], patterns: Sequence[str]) -> Iterator[Row]:
    names = chosen({row.name for row in rows}, patterns, "row")
    yield from sorted((row for row in rows if row.name in names), key=lambda row: row.name)


def chosen(names: Collection[str], patterns: Sequence[str], noun: str) -> Collection[str]:
    """Return the names that fit a pattern; without patterns, all. Raises WrongUsage where a pattern fits none."""
    for pattern in patterns:
        if not any(matches(pattern, name) for name in names):
            raise WrongUsage(f"no {noun} has the name `{pattern}`", hint="give a name, or a glob in quotes: 'sync-*'")
    return {name for name in names if any(matches(pattern, name) for pattern in patterns)} if patterns else names


def _reason(row: Row, managed: Managed | None, now: datetime) -> str | None:
    """Return why a row is left out, None where it can be taken; ``managed`` is the ledger's entry for its id."""
    if row.name.lower().startswith("celery."):
        return OF_BEAT
    if managed is not None:
        return f"set `{managed.set}` manages it as `{managed.name}`"
    if row.problems:
        return f"broken, {row.problems[0].message}"
    return completed(row.spec, row, now)


def completed(spec: Spec | None, row: Row | None, now: datetime) -> str | None:
    """Return how a schedule is completed, None if it can run again; ``row`` is its row, if it has one."""
    if spec is not None and completed_at(spec, now):
        return "completed, its time has passed"
    return "completed, a one-off that has run" if row is not None and row.is_done(now) else None


def same_but_for_case(name: str, spelled: Mapping[str, str]) -> str | None:
    """Return that a name differs only in case from one of ``spelled``, None if it does not."""
    twin = spelled.get(name.casefold())
    return twin and f"its name differs only in case from `{twin}`"
