"""Changes with equal values as one group, whichever file, definition or environment they come from.

Only the values decide, never the consequences: those depend on the clock. Each group knows the names of its members.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from schedsync.core.change import Change, FieldChange, Rename
from schedsync.core.placeholders import put_back, unquoted
from schedsync.core.schedule import Template, canonical_json
from schedsync.core.secrets import changed_secrets, masked
from schedsync.planning.plan import Plan
from schedsync.render.changes.alarms import is_alarming
from schedsync.render.changes.cells import owners_text, places_text
from schedsync.render.changes.effects import Effect, effects_of
from schedsync.render.words import ARGUMENTS, LONGEST, moved_text, people_text, printable, value_text

#: Fewer equal changes are shown one by one.
FOLD_FROM = 4
#: A delete shows these fields of the row.
OF_DELETED = ("task", "timing", "queue", "args", "kwargs")
#: Deletes come first.
_ORDER = {"delete": 0, "release": 1, "adopt": 2, "rename": 3, "update": 4, "create": 5}
#: The fields that a ``for_each`` fills.
_FILLED = frozenset({"name", "args", "kwargs", "headers", "description", "queue"})
_PLACES_SHOWN, _OWNERS_SHOWN = 3, 5

#: A change, and the environment that it is of.
Located = tuple[str | None, Change]


@dataclass(frozen=True)
class Group:
    """Changes of equal values; ``environments`` are those in which all of them happen, empty if there is only one."""

    changes: tuple[Located, ...]
    environments: tuple[str, ...] = ()

    @property
    def first(self) -> Change:
        """The change that stands for all."""
        return self.changes[0][1]

    @property
    def all_changes(self) -> tuple[Change, ...]:
        """The changes of all environments."""
        return tuple(change for _, change in self.changes)

    @cached_property
    def members(self) -> tuple[Change, ...]:
        """One change for each name."""
        if len(self.changes) == 1:
            return (self.changes[0][1],)
        named = {change.name: change for _, change in reversed(self.changes)}
        return tuple(reversed(named.values()))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all members."""
        return tuple(change.name for change in self.members)

    @cached_property
    def template(self) -> Template | None:
        """The definition of all members if it is the same; its values are those of the first."""
        if len(self.members) == 1 or len({change.template and change.template.name for change in self.members}) > 1:
            return None
        return self.first.template

    @property
    def title(self) -> str:
        """The name; of several members their definition, and how many they are."""
        change = self.first
        if len(self.members) == 1:
            return f"{change.old_name} → {change.name}" if isinstance(change, Rename) else change.name
        count = f"{len(self.members):,} schedules"
        if self.template is None:
            return count
        old = put_back(change.old_name, self.template) if isinstance(change, Rename) else None
        return f"{old} → {self.template.name}: {count}" if old else f"{self.template.name}: {count}"

    @cached_property
    def effects(self) -> tuple[Effect, ...]:
        """What follows from the changes, with the names where it does not follow from all."""
        return tuple(effects_of(self.changes, len(self.members), self.environments))

    @cached_property
    def alarming(self) -> tuple[str, ...]:
        """The names of the members that stop, are deleted, or otherwise need a look."""
        if self.first.kind == "delete":
            return self.names
        loud = {change.name for _, change in self.changes if is_alarming(change)}
        return tuple(name for name in self.names if name in loud) if loud else ()

    @property
    def places(self) -> str:
        """Where the members are defined: the first places, and how many more."""
        return places_text(self.all_changes, _PLACES_SHOWN)

    @property
    def people(self) -> str:
        """Whom to ask: of several members what is the same for all, or their owners."""
        if len({change.people for change in self.all_changes}) == 1:
            return people_text(self.first)
        return f"owners {owners_text(self.all_changes, _OWNERS_SHOWN) or 'none'}"

    @property
    def fields(self) -> tuple[FieldChange, ...]:
        """The fields to show."""
        change = self.first
        return tuple(
            field
            for field in change.fields
            if field.field != "name" and (change.after is not None or field.field in OF_DELETED)
        )

    def moved(self, field: FieldChange, longest: int = LONGEST) -> tuple[str, str]:
        """Write a field's value before and after, as it is for all members; a value longer than ``longest`` is cut."""
        if len(self.members) == 1:
            return moved_text(field, longest)
        template = self.first.template
        if field.field in _FILLED and template is not None and _is_put_back(field, template):
            before, after = moved_text(_with_placeholders(field, template), longest)
            return unquoted(before), unquoted(after)
        before, after = moved_text(field, longest)
        was, will = _hashed(self.first, field)
        return was or before, will or after

    def detail(self, change: Change) -> str:
        """Write the timing of one member, where it is shown for all as it is written; else empty."""
        for field in change.fields if len(self.members) > 1 else ():
            if any(_hashed(change, field)):
                before, after = (value_text(field.field, value) for value in (field.before, field.after))
                return after if change.row is None else before if change.after is None else f"{before} → {after}"
        return ""


def groups(changes: Iterable[Change]) -> list[Group]:
    """Fold the changes of one plan whose values are equal; order is kept."""
    return _folded((_likeness(change), [(None, change)]) for change in changes)


def groups_across(plans: Sequence[tuple[str | None, Plan]]) -> list[Group]:
    """Fold the changes of several environments: a change that several have is there once, with their names."""
    same: dict[tuple[str, Hashable], list[Located]] = {}
    for environment, plan in plans:
        for change in plan.changes:
            same.setdefault((change.name, _likeness(change)), []).append((environment, change))
    return _folded((likeness, located) for (_, likeness), located in same.items())


def in_order_of_danger(found: Sequence[Group]) -> list[Group]:
    """Return groups with the deletes first, then the other alarms, then the rest by kind."""
    return sorted(found, key=_weight)


def _weight(group: Group) -> int:
    return 1 if group.alarming and group.first.kind != "delete" else _ORDER[group.first.kind]


def _folded(likenesses: Iterable[tuple[Hashable, list[Located]]]) -> list[Group]:
    """Return groups of changes; each change comes with its likeness, once for each environment that has it."""
    alike: dict[tuple[Hashable, tuple[str, ...]], list[list[Located]]] = {}
    for likeness, located in likenesses:
        environments = tuple([environment for environment, _ in located if environment])
        alike.setdefault((likeness, environments), []).append(located)
    result: list[Group] = []
    for (_, environments), members in alike.items():
        if len(members) >= FOLD_FROM:
            result.append(Group(tuple(each for located in members for each in located), environments))
        else:
            result += [Group(tuple(located), environments) for located in members]
    return result


def _likeness(change: Change) -> Hashable:
    """Return what must be equal for two changes to be shown as one."""
    return (
        change.kind,
        change.cause,
        change.by,
        change.people.disabled_reason,
        change.row.problems if change.row else None,
        isinstance(change, Rename) and _rename_key(change),
        tuple([_field_key(change, field) for field in change.fields if field.field != "name"]),
    )


def _rename_key(change: Rename) -> Hashable:
    if change.template is None:
        return change.old_name
    old = put_back(change.old_name, change.template)
    return change.old_name if old == change.old_name else (old, change.template.name)


def _field_key(change: Change, field: FieldChange) -> Hashable:
    definition: str | None = None
    before, after = field.before, field.after
    if change.template is None and field.field != "timing":
        # The canonical text of new arguments is known.
        known = change.after if before is None and field.field in ARGUMENTS else None
        key = getattr(known, field.field) if known is not None else _value_key(after)
        return field.field, field.cause, definition, _value_key(before), key
    if field.field in _FILLED and change.template is not None and _is_put_back(field, change.template):
        before, after = put_back(before, change.template), put_back(after, change.template)
        definition = change.template.name
    was, will = _hashed(change, field)
    return field.field, field.cause, definition, was or _value_key(before), will or _value_key(after)


def _value_key(value: Any) -> Hashable:
    """Return what is equal for equal JSON values, and differs from every text of `_hashed`."""
    if value is None:
        return None
    return canonical_json(value) if isinstance(value, (dict, list)) else (type(value), value)


def _is_put_back(field: FieldChange, template: Template) -> bool:
    """Say whether a value contains a placeholder, and before and after can still be told apart with it."""
    before, after = put_back(field.before, template), put_back(field.after, template)
    return (before is not field.before or after is not field.after) and before != after


def _with_placeholders(field: FieldChange, template: Template) -> FieldChange:
    # Secrets are masked first: with a placeholder in them they may not look like secrets.
    is_json = field.field in ARGUMENTS and field.after is not None
    after = changed_secrets(field.before, field.after) if is_json else masked(field.after)
    return FieldChange(field.field, put_back(masked(field.before), template), put_back(after, template), field.cause)


def _hashed(change: Change, field: FieldChange) -> tuple[str | None, str | None]:
    """Return a timing before and after as it is written, where that contains an `H` that means a minute of its own."""
    if field.field != "timing":
        return None, None
    texts = (
        printable(f"{written} {value['timezone']}")
        if written and isinstance(value, dict) and "crontab" in value
        else None
        for written, value in zip(change.hashed, (field.before, field.after), strict=True)
    )
    before, after = texts
    return (None, None) if before == after else (before, after)
