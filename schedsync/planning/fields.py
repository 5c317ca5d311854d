"""The fields in which a row differs from the files, each with its cause."""

from __future__ import annotations

from collections.abc import Collection

from schedsync.core.change import Cause, FieldChange
from schedsync.core.observed import Row
from schedsync.core.schedule import FIELDS, Spec, differing, value_form

_DEFAULTS = {name: field.default for name, field in Spec.__dataclass_fields__.items()}


def field_changes(after: Spec | None, row: Row | None, base: Spec | None) -> tuple[FieldChange, ...]:
    """Return every field that changes from the row to ``after``; ``base`` is the spec that was applied last.

    Where the row is created, deleted or unreadable, these are the fields with another value than their default.
    """
    before = row.spec if row else None
    if before is not None and after is not None:
        names = differing(before, after)
    else:
        names = tuple(name for name in FIELDS if _is_set(name, after or before))
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


def _is_set(name: str, spec: Spec | None) -> bool:
    return spec is not None and getattr(spec, name) != _DEFAULTS[name]


def _cause(name: str, before: Spec | None, base: Spec | None, after: Spec | None) -> Cause:
    if base is None or after is None:
        return "files"
    files_moved = getattr(after, name) != getattr(base, name)
    if before is None:
        # Without a readable row there is nothing to compare: somebody deleted it, or broke it.
        return "both" if files_moved else "drift"
    table_moved = getattr(before, name) != getattr(base, name)
    return "both" if files_moved and table_moved else "drift" if table_moved else "files"
