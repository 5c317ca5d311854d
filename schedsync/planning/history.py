"""The documents of an audit record as the changes that ``schedsync history`` shows; nothing of them is believed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from schedsync.core.adoption import matches
from schedsync.core.change import FieldChange
from schedsync.core.history import HistoryChange, Life
from schedsync.planning.named import NOT_READ

#: What a change of a plan says beside its fields, and the history does not repeat.
_LEFT_OUT = frozenset(
    {"kind", "name", "old_name", "fields", "consequences", "people", "apply", "undo", "before", "after"}
)
#: What the top of a document moves, by its kind.
_MOVED = {"move": "set", "rename_set": "set", "bind": "environment"}
_QUIET = {"cause": "files", "location": None, "how": "hand"}


def changes_of(documents: Any) -> tuple[tuple[HistoryChange, ...], int]:
    """Return the changes of a record, and how many of its documents cannot be read."""
    if not isinstance(documents, list):
        return (), 1
    read = [_change(document) for document in documents]
    return tuple(change for change in read if change is not None), sum(change is None for change in read)


def concerning(documents: Any, lives: Sequence[Life], globs: Sequence[str]) -> Any:
    """Return the documents that may be about some schedules, and one of the others, which says that there are others.

    Reading all changes of a large apply as values takes seconds, and a page about one schedule needs one of them. The
    documents may be an iterator, so that the others are not in memory together; what is neither is returned as it is.
    """
    if not isinstance(documents, (list, Iterator)):
        return documents
    names = {life.name for life in lives}
    kept: list[Any] = []
    other: list[Any] = []
    for document in documents:
        if _may_be_of(document, names, globs):
            kept.append(document)
        elif not other:
            other.append(document)
    return [*kept, *other]


def _may_be_of(document: Any, names: Collection[str], globs: Sequence[str]) -> bool:
    if not isinstance(document, dict) or document.get("name") is None:
        return True
    given = [str(document.get(key)) for key in ("name", "old_name")]
    return any(name in names or any(matches(glob, name) for glob in globs) for name in given)


def _change(document: Any) -> HistoryChange | None:
    try:
        name, old_name, row = document.get("name"), document.get("old_name"), (document.get("apply") or {}).get("row")
        return HistoryChange(
            kind=str(document["kind"]),
            name=None if name is None else str(name),
            old_name=None if old_name is None else str(old_name),
            fields=(*_moved(document), *map(_field, document.get("fields") or ())),
            details=_details(document),
            row_id=row if type(row) is int else None,
        )
    except NOT_READ:
        return None


def _field(values: Mapping[str, Any]) -> FieldChange:
    return FieldChange(str(values["field"]), values.get("before"), values.get("after"))


def _moved(document: Mapping[str, Any]) -> Iterable[FieldChange]:
    if "before" in document or "after" in document:
        field = _MOVED.get(str(document["kind"]), "value")
        yield FieldChange(field, document.get("before"), document.get("after"))


def _details(document: Mapping[str, Any]) -> dict[str, Any]:
    details = {
        str(key): value
        for key, value in document.items()
        if key not in _LEFT_OUT and (key not in _QUIET or value != _QUIET[key])
    }
    reason = (document.get("people") or {}).get("disabled_reason")
    return details | ({} if reason is None else {"disabled_reason": reason})


def only_of(
    changes: Iterable[HistoryChange], lives: Sequence[Life], globs: Sequence[str], at: datetime
) -> tuple[HistoryChange, ...]:
    """Return the changes of some schedules, and those that name none; nothing if there are none of the schedules."""
    known = tuple(changes)
    kept = tuple(change for change in known if change.name is None or _is_of(change, lives, globs, at))
    names_others = any(change.name is not None for change in known) and all(change.name is None for change in kept)
    return () if names_others else kept


def _is_of(change: HistoryChange, lives: Sequence[Life], globs: Sequence[str], at: datetime) -> bool:
    names = (change.name, change.old_name)
    return any(life.has(name, at) for life in lives for name in names) or any(
        matches(glob, name) for glob in globs for name in names if name is not None
    )
