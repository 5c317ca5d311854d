"""The shape of a file: what the format's JSON Schema does not allow becomes findings with positions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.core.secrets import is_secret_key
from schedsync.files.hints import type_hint, value_hint
from schedsync.files.misspelt import stands_for
from schedsync.files.node import Node
from schedsync.schemas.validator import SCHEDULES, conforms, errors
from schedsync.schemas.wording import described, predicate, type_predicate, unknown_key_hint

_ARGUMENTS = ("args", "kwargs", "headers")
# `then` says that timings exclude each other. `read_timing` reports that better: it knows the environment.
_REPORTED_ELSEWHERE = "then"


def shape_findings(root: Node, path: str) -> Iterator[Finding]:
    """Yield everything in a document that the schema does not allow, each at the value at fault."""
    value = root.plain()
    if not conforms(value, SCHEDULES):
        for error in errors(value, SCHEDULES):
            steps = error.absolute_path
            name = str(steps[1]) if len(steps) > 1 and steps[0] == "schedules" else None
            yield from (replace(finding, schedule=name) for finding in _findings(error, root, path))


def _findings(error: Any, root: Node, path: str) -> Iterator[Finding]:
    node, key_place = _node_at(root, list(error.absolute_path), path)
    rule = error.validator
    if _REPORTED_ELSEWHERE in error.absolute_schema_path:
        return
    if rule == "anyOf":
        takes = "takes a list of values, `{file: NAME}` or `{source: NAME}`"
        yield Finding("SS121", f"`{error.absolute_path[-1]}` {takes}", key_place)
    elif rule == "additionalProperties" and isinstance(error.instance, dict):
        yield from _unknown_keys(error, node, path)
    elif rule == "type":
        yield _wrong_type(error, node, key_place)
    elif rule == "required":
        known = error.schema.get("properties", {})
        absent = (key for key in error.validator_value if key not in error.instance)
        for missing in (key for key in absent if not stands_for((key,), error.instance, known)):
            yield Finding("SS122", f"`{missing}` is missing", key_place, _MISSING_HINTS.get(missing))
    else:
        yield Finding("SS123", _not_allowed(error), _place(node, path, key_place), value_hint(error))


def _node_at(root: Node, steps: Sequence[str | int], path: str) -> tuple[Node, Location]:
    """Return the node at the end of a path, and the place of the key that leads to it; of an item, its own place."""
    node, place = root, root.at(path)
    for step in steps:
        if isinstance(step, int):
            node = node.value[step]
            place = node.at(path)
        else:
            place = node.key_at(path, step)
            node = node.value[step]
    return node, place


def _place(node: Node, path: str, key_place: Location) -> Location:
    return node.at(path) if not isinstance(node.value, (dict, list)) else key_place


def _unknown_keys(error: Any, node: Node, path: str) -> Iterator[Finding]:
    known = error.schema.get("properties", {})
    for key in error.instance:
        if key in known or key.startswith("\0") or (key.startswith("x-") and "version" in known):
            continue
        yield Finding("SS120", f"unknown key `{key}`", node.key_at(path, key), unknown_key_hint(key, list(known)))


def _wrong_type(error: Any, node: Node, key_place: Location) -> Finding:
    private = _is_private(error.absolute_path) and isinstance(error.instance, (str, int, float))
    given = ("text" if isinstance(error.instance, str) else "a number") if private else described(error.instance)
    message = f"{_subject(error)} {type_predicate(error, given)}"
    hint = None if private else type_hint(error)
    return Finding("SS121", message, _place(node, key_place.path, key_place), hint)


def _subject(error: Any) -> str:
    """Return the name of the value at fault: its key, or that it is an item of a list, or the whole file."""
    if not error.absolute_path:
        return "the file"
    last = error.absolute_path[-1]
    return f"`{last}`" if isinstance(last, str) else "an item"


def _is_private(path: Sequence[str | int]) -> bool:
    """Say whether a value may be a secret: an argument, a header, or a value below a key with such a name."""
    return any(isinstance(step, str) and (step in _ARGUMENTS or is_secret_key(step)) for step in path)


_MISSING_HINTS = {"version": "write `version: 1`", "task": "the task's name, as the worker registers it"}


def _not_allowed(error: Any) -> str:
    if "propertyNames" in error.absolute_schema_path:
        return f"`{error.instance}` cannot name a placeholder: use letters, digits and `_`"
    return f"{_subject(error)} {predicate(error)}"
