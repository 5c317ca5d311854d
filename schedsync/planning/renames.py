"""Removals and creates that look like renames: what goes and what comes do the same. Each is compared once by a key."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from schedsync.core.change import Change, Create
from schedsync.core.finding import Finding
from schedsync.core.placeholders import put_back
from schedsync.core.schedule import Spec
from schedsync.planning.removal import is_removal


class _Pair(NamedTuple):
    """A removal and a create that look like one rename; ``is_same_task`` is false where only the task differs."""

    going: Change
    coming: Create
    is_same_task: bool = True

    @property
    def names(self) -> tuple[str, str]:
        """The old and the new name as the files write them: with placeholders where a ``for_each`` makes both."""
        template = self.coming.template
        if template is None:
            return self.going.name, self.coming.name
        old = put_back(self.going.name, template)
        return (self.going.name, self.coming.name) if old == self.going.name else (old, template.name)


def renames(changes: Iterable[Change]) -> Iterator[Finding]:
    """Yield a finding for each removal and create that look like a rename; one for all schedules of a ``for_each``.

    Where two schedules come that could be the one that goes, or the other way round, nothing is said.
    """
    definitions: dict[Hashable, list[_Pair]] = {}
    for pair in _pairs(changes):
        definitions.setdefault((pair.names, pair.is_same_task, pair.coming.location), []).append(pair)
    for pairs in definitions.values():
        yield _finding(pairs)


def _finding(pairs: Sequence[_Pair]) -> Finding:
    first, count = pairs[0], len(pairs)
    old, new = first.names if count > 1 else (first.going.name, first.coming.name)
    same = "both do the same" if first.is_same_task else "only the task differs"
    many = f" ({count:,} schedules)" if count > 1 else ""
    kept = "their rows, their history and their last runs" if count > 1 else "its row, its history and its last run"
    hint = f"write `renamed_from: {old}` to keep {kept}"
    names = tuple(pair.coming.name for pair in pairs) if count > 1 else ()
    goes = "deleted" if first.going.after is None else "removed"
    message = f"`{old}` is {goes} and `{new}` is created, and {same}{many}"
    return Finding("SS163", message, first.coming.location, hint, "warning", names)


def _pairs(changes: Iterable[Change]) -> list[_Pair]:
    """Return the pairs: first those that are equal in everything, then in what they do, then in all but the task."""
    going: dict[str, Change] = {}
    coming: dict[str, Create] = {}
    for change in changes:
        if is_removal(change):
            going[change.name] = change
        elif isinstance(change, Create):
            coming[change.name] = change
    pairs: list[_Pair] = []
    for key, is_same_task in _KEYS if going else ():
        for delete, create in _alike(going, coming, key):
            pairs.append(_Pair(delete, create, is_same_task))
            del going[delete.name], coming[create.name]
    return sorted(pairs, key=lambda pair: pair.coming.name)


def _alike(
    going: dict[str, Change], coming: dict[str, Create], key: Callable[[Spec], Hashable]
) -> list[tuple[Change, Create]]:
    """Return each removal and create with the same key that no other change has."""
    by_key: dict[Hashable, tuple[list[Change], list[Create]]] = {}
    for delete in going.values():
        if delete.row is not None and delete.row.spec is not None:
            by_key.setdefault(key(delete.row.spec), ([], []))[0].append(delete)
    for create in coming.values():
        if create.after is not None:
            by_key.setdefault(key(create.after), ([], []))[1].append(create)
    return [(gone[0], come[0]) for gone, come in by_key.values() if len(gone) == len(come) == 1]


#: What makes two specs alike, and whether the task is among it.
_KEYS: Sequence[tuple[Callable[[Spec], Hashable], bool]] = (
    (lambda spec: spec, True),
    (lambda spec: (spec.task, spec.args, spec.kwargs), True),
    (lambda spec: replace(spec, task=""), False),
)
