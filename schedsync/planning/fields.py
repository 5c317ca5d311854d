"""The fields in which a row differs from the files, each with its cause."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from operator import attrgetter
from typing import Any

from schedsync.core.change import Cause, FieldChange
from schedsync.core.observed import Row
from schedsync.core.schedule import FIELDS, JSON_FIELDS, Spec, differing, value_form

_DEFAULTS = tuple(Spec.__dataclass_fields__[name].default for name in FIELDS)
_VALUES = attrgetter(*FIELDS)


def field_changes(after: Spec | None, row: Row | None, base: Spec | None) -> tuple[FieldChange, ...]:
    """Return every field that changes from the row to ``after``; ``base`` is the spec that was applied last.

    Where the row is created, deleted or unreadable, these are the fields with another value than their default.
    """
    before = row.spec if row else None
    if before is None and base is None:
        return tuple(_new(name, getattr(after, name)) for name in _set_fields(after))
    edited = None if before is None or after is None else differing(before, after)
    names = _set_fields(after or before) if edited is None else edited
    return tuple(
        FieldChange(
            name,
            None if before is None else value_form(name, getattr(before, name)),
            None if after is None else value_form(name, getattr(after, name)),
            _cause(name, before, base, after),
        )
        for name in names
    )


def common_cause(fields: Collection[FieldChange]) -> Cause:
    """Return the cause that all fields share; "both" where they differ, "files" where there are none."""
    causes = {change.cause for change in fields}
    return causes.pop() if len(causes) == 1 else "both" if causes else "files"


def _set_fields(spec: Spec | None) -> tuple[str, ...]:
    """Return the names of the fields with another value than their default."""
    if spec is None:
        return ()
    values = zip(FIELDS, _VALUES(spec), _DEFAULTS, strict=True)
    return tuple([name for name, value, default in values if value != default])


def _new(name: str, value: Any) -> FieldChange:
    """Return a field of a new schedule; schedules of one set share most of their values, but not their arguments."""
    return FieldChange(name, None, value_form(name, value)) if name in JSON_FIELDS else _new_once(name, value)


@lru_cache(maxsize=65536, typed=True)
def _new_once(name: str, value: Any) -> FieldChange:
    return FieldChange(name, None, value_form(name, value))


def _cause(name: str, before: Spec | None, base: Spec | None, after: Spec | None) -> Cause:
    if base is None or after is None:
        return "files"
    files_moved = getattr(after, name) != getattr(base, name)
    if before is None:
        # Without a readable row there is nothing to compare: somebody deleted it, or broke it.
        return "both" if files_moved else "drift"
    table_moved = getattr(before, name) != getattr(base, name)
    return "both" if files_moved and table_moved else "drift" if table_moved else "files"
