"""Which names the documents of an audit record are about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

#: Why a document of an audit record cannot be read.
NOT_READ = (ValueError, KeyError, TypeError, AttributeError, RecursionError)

#: In characters, as the column has it.
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Named:
    """One name that a record is about; a rename gave it the place of ``old_name``, or its own place to ``new_name``."""

    name: str
    old_name: str | None = None
    new_name: str | None = None


def _is_name(value: Any) -> TypeGuard[str]:
    """Say whether each database can store a value as a name; a damaged record may hold any text."""
    if not isinstance(value, str) or len(value) > _LONGEST or "\0" in value:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)


def named_in(documents: Iterable[Any]) -> tuple[Named, ...]:
    """Return the names, each once; documents of another shape have none."""
    old_names: dict[str, str | None] = {}
    new_names: dict[str, str] = {}
    for document in documents:
        if not isinstance(document, Mapping) or not _is_name(name := document.get("name")):
            continue
        old_name = document.get("old_name")
        if document.get("kind") == "rename" and _is_name(old_name):
            old_names[name], new_names[old_name] = old_name, name
        else:
            old_names.setdefault(name, None)
    return tuple(
        Named(name, old_names.get(name), new_names.get(name)) for name in dict.fromkeys([*old_names, *new_names])
    )
