"""Schedules that differ in one value become one definition with ``for_each``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from schedsync.core.names import natural_order
from schedsync.core.schedule import canonical_json
from schedsync.importers.draft import Draft
from schedsync.importers.spelling import in_order

#: The number of schedules from which a family is worth a ``for_each``.
_FEWEST = 3
#: A schedule with more values is left as it is.
_MOST_VALUES = 50
_TEMPLATED = ("args", "kwargs", "headers", "queue", "description")
#: Stand for the value in a template: within text, and in place of a whole number. No text in a table has them.
_MARK, _NUMBER = "\0", "\0\0"
#: In characters: a longer name of an argument is no name for a placeholder.
_LONGEST_KEY = 30


@dataclass(frozen=True, slots=True)
class _Member:
    """One schedule of a family: its value, and what its name and fields are without it."""

    draft: Draft
    value: str
    name: str
    fields: Mapping[str, Any]

    @property
    def family(self) -> str:
        """What all members of the family share."""
        return canonical_json([self.name, self.fields])


def folded(drafts: Sequence[Draft]) -> list[Draft]:
    """Return the schedules with one definition in place of each family, the largest families first."""
    families: dict[str, list[_Member]] = defaultdict(list)
    for draft in drafts:
        for member in _members(draft):
            families[member.family].append(member)
    left = {draft.name: draft for draft in drafts}
    result: list[Draft] = []
    for _, members in sorted(families.items(), key=lambda family: (-len(family[1]), family[0])):
        here = [member for member in members if member.draft.name in left]
        if len(here) >= _FEWEST:
            result.append(_definition(here))
            for member in here:
                del left[member.draft.name]
    return [*result, *left.values()]


def _members(draft: Draft) -> Iterator[_Member]:
    """Yield a schedule once for each family that it could be of."""
    leaves = [leaf for key in _TEMPLATED for leaf in _leaves(draft.fields.get(key))]
    if len(leaves) > _MOST_VALUES or any(_MARK in str(leaf) for leaf in (draft.name, *leaves)):
        return
    words = set(_words(draft.name)) | {str(leaf) for leaf in leaves if leaf != ""}
    seen: set[str] = set()
    for value in sorted(words):
        name = _marked(draft.name, value)
        for replaced in (_marked, _unchanged) if name != draft.name else ():
            member = _without(draft, value, name, replaced)
            if member.fields != draft.fields and member.family not in seen:
                seen.add(member.family)
                yield member


def _marked(text: str, value: str) -> str:
    """Return text with a mark in place of each value that is no part of a longer word."""
    first, *others = text.split(value)
    result = first
    for part in others:
        is_part = result[-1:].isalnum() or part[:1].isalnum()
        result += (value if is_part else _MARK) + part
    return result


def _words(text: str) -> list[str]:
    return "".join(character if character.isalnum() else " " for character in text).split()


def _unchanged(text: str, _value: str) -> str:
    return text


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, (str, int)) and not isinstance(value, bool):
        yield value


def _without(draft: Draft, value: str, name: str, replaced: Callable[[str, str], str]) -> _Member:
    """Return a schedule with marks in place of a value; ``replaced`` does so within longer text."""

    def marked(item: Any) -> Any:
        if isinstance(item, dict):
            return {key: marked(inner) for key, inner in item.items()}
        if isinstance(item, list):
            return [marked(inner) for inner in item]
        if isinstance(item, str):
            return _MARK if item == value else replaced(item, value)
        return _NUMBER if type(item) is int and str(item) == value else item

    fields = {key: marked(item) if key in _TEMPLATED else item for key, item in draft.fields.items()}
    return _Member(draft, value, name, fields)


def _definition(members: Sequence[_Member]) -> Draft:
    """Return one definition for the members of a family."""
    first = members[0]
    key = _key_of(first.fields.get("kwargs", {}))
    is_number = _NUMBER in _leaves(list(first.fields.values()))
    texts = sorted((member.value for member in members), key=natural_order)
    values: list[Any] = sorted(map(int, texts)) if is_number else list(texts)

    def filled(item: Any) -> Any:
        if isinstance(item, dict):
            return {name: filled(inner) for name, inner in item.items()}
        if isinstance(item, list):
            return [filled(inner) for inner in item]
        return _with_placeholder(item, key) if isinstance(item, str) else item

    fields = {name: filled(item) if name in _TEMPLATED else item for name, item in first.fields.items()}
    return replace(
        first.draft,
        name=_with_placeholder(first.name, key),
        fields=in_order({**fields, "for_each": {key: values}}),
        specs={name: spec for member in members for name, spec in member.draft.specs.items()},
        notes=tuple(dict.fromkeys(note for member in members for note in member.draft.notes)),
    )


def _with_placeholder(text: str, key: str) -> str:
    """Return text in which braces are doubled, and the placeholder is in place of the marks."""
    literal = text.replace("{", "{{").replace("}", "}}")
    return literal.replace(_NUMBER, _MARK).replace(_MARK, f"{{{key}}}")


def _key_of(kwargs: Mapping[str, Any]) -> str:
    """Return the name of the placeholder: that of the argument with the value, else `value`."""
    names = (name for name, item in kwargs.items() if item in (_MARK, _NUMBER) and _is_plain(name))
    return next(names, "value")


def _is_plain(name: str) -> bool:
    return name.isascii() and name.isidentifier() and len(name) <= _LONGEST_KEY
