"""Reads and writes which schedules of a set are rolled back."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

from django.db.models import Exists, OuterRef, Q

from schedsync.core.location import Location, is_place
from schedsync.core.rollback import RolledBack
from schedsync.core.schedule import Spec, canonical_json
from schedsync.database.bulk import batches, insert, rows_of
from schedsync.database.faults import migrate_hint
from schedsync.database.tables import has_table
from schedsync.database.values import read_values, readable
from schedsync.database.write_request import WriteRequest
from schedsync.errors import Unavailable
from schedsync.models import ManagedSchedule
from schedsync.models import RolledBack as Row
from schedsync.planning.converter import checked_spec
from schedsync.planning.rolled_back import forms_of

_COLUMNS = (
    "name", "kept_name", "rejected", "kept", "released", "path", "line", "column", "reason", "who", "since", "run",
)  # fmt: skip
#: The defaults for columns that cannot be read, in the same order.
_UNREAD = ("", "", "", "", False, "", 0, 0, "", "", datetime(1970, 1, 1, tzinfo=timezone.utc), uuid.UUID(int=0))


def read_rolled_back(using: str, set_name: str) -> dict[str, RolledBack]:
    """Return the rolled-back schedules of a set by their names in the files.

    There are none before the table is made. One whose forms cannot be read is damaged.
    """
    return {mark.name: mark for mark in _read(using, Q(set=set_name))}


def every_rolled_back(using: str) -> list[RolledBack]:
    """Return the rolled-back schedules of all sets by name."""
    return _read(using, Q())


def rolled_back_by_holder(using: str, name: str | None = None) -> list[RolledBack]:
    """Return the rolled-back schedules that no other set manages now.

    With ``name``, return those that have it in the files or in the tables.

    Two sets can have one name in their files: what was rolled back of one says nothing of the other's row.
    """
    others = rows_of(ManagedSchedule, using).filter(name=OuterRef("kept_name")).exclude(set=OuterRef("set"))
    named = Q() if name is None else Q(name=name) | Q(kept_name=name)
    return _read(using, named & ~Q(Exists(others)))


def _read(using: str, condition: Q) -> list[RolledBack]:
    if not has_table(using, Row):
        return []
    rows = rows_of(Row, using).filter(condition).order_by("name", "pk")
    return [_mark(*map(readable, values, _UNREAD)) for values in read_values(rows, _COLUMNS)]


def _mark(
    name: str,
    kept_name: str,
    rejected: str,
    kept: str,
    released: bool,
    path: str,
    line: int,
    column: int,
    reason: str,
    who: str,
    since: datetime,
    run: uuid.UUID,
) -> RolledBack:
    try:
        forms: tuple[Spec | None, ...] = tuple(map(_spec, json.loads(rejected)))
        spec = _spec(json.loads(kept)) if kept else None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        forms, spec = (), None
    place = Location(path, line, column) if path and is_place(line, column) else None
    return RolledBack(name, forms, spec, kept_name, reason, who, since, str(run), bool(released), place)


def _spec(values: Mapping[str, Any] | None) -> Spec | None:
    return None if values is None else checked_spec(values)


def write_marks(request: WriteRequest) -> None:
    """Write what a request says about rolled-back schedules; raises Unavailable before the table is made."""
    marks, using = request.marks, request.using
    if not marks:
        return
    if not has_table(using, Row):
        message = f"database `{using}` is not migrated: no table {Row._meta.db_table}"
        raise Unavailable(message, hint=f"{migrate_hint(using)}, then again")
    delete_marks(using, request.set, [mark.name for mark in (*marks.new, *marks.over)])
    insert(using, Row, [_columns(request.set, mark) for mark in marks.new])


def delete_marks(using: str, set_name: str, names: Iterable[str]) -> None:
    """Let the files of these schedules of a set count again."""
    rows, wanted = rows_of(Row, using).filter(set=set_name), sorted(set(names))
    for batch in batches(wanted):
        rows.filter(name__in=batch).delete()


def give_marks_to_set(using: str, set_name: str, *, old: str | None = None, names: Collection[str] = ()) -> None:
    """Let another set keep what was rolled back: all of the set ``old``, or the schedules with these ``names``."""
    if not has_table(using, Row):
        return
    rows = rows_of(Row, using)
    if old is not None:
        rows.filter(set=set_name).delete()
        rows.filter(set=old).update(set=set_name)
    for batch in batches(sorted(names)):
        moving = rows.filter(kept_name__in=batch).exclude(set=set_name)
        rows.filter(set=set_name, name__in=list(moving.values_list("name", flat=True))).delete()
        moving.update(set=set_name)


def _columns(set_name: str, mark: RolledBack) -> dict[str, Any]:
    forms = forms_of(mark)
    path, line, column = mark.location or ("", 0, 0)
    return {
        "set": set_name,
        "name": mark.name,
        "kept_name": mark.kept_name,
        "rejected": canonical_json(forms["rejected"]),
        "kept": "" if mark.kept is None else canonical_json(forms["kept"]),
        "released": mark.released,
        "path": path,
        "line": line,
        "column": column,
        "reason": mark.reason,
        "who": mark.who,
        "since": mark.since,
        "run": uuid.UUID(mark.run),
    }
