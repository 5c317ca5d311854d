"""The JSON Schemas, which are the contracts of the shapes, and what they say about a document.

A generated validator says within a fraction of the time whether a document conforms; only where it does not, the
jsonschema library explains everything that is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import fastjsonschema

from schedsync.core.finding import Finding, did_you_mean
from schedsync.core.location import Location
from schedsync.core.secrets import is_secret_key
from schedsync.files.hints import decimal_comma_hint, duration_hint, duration_text_hint
from schedsync.files.node import Node

SCHEDULES = "schedules.v1.schema.json"
PLAN = "plan.v1.schema.json"
REVIEW = "review.v1.schema.json"
SNAPSHOT = "snapshot.v1.schema.json"
#: Every schema by its word.
SCHEMAS = {name: f"{name}.v1.schema.json" for name in ("schedules", "plan", "review", "snapshot", "forecast")}

_ARGUMENTS = ("args", "kwargs", "headers")
_DURATIONS = ("every", "expires_after", "starting_deadline")
_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}
# That timings exclude each other is said better, and with the environment in view, where the values are read.
_SAID_ELSEWHERE = "then"


def schema_text(name: str) -> str:
    """Return a schema's text, from the installed package or from the checkout."""
    packaged = resources.files("schedsync").joinpath("schemas").joinpath(name)
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    return (Path(__file__).parents[2] / "schemas" / name).read_text(encoding="utf-8")


@lru_cache(maxsize=4)
def _schema(name: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(schema_text(name))
    return result


@lru_cache(maxsize=4)
def _validator(name: str) -> Callable[[Any], Any]:
    result: Callable[[Any], Any] = fastjsonschema.compile(_schema(name), use_default=False, use_formats=False)
    return result


def conforms(value: Any, name: str) -> bool:
    """Say whether a value conforms to a schema."""
    try:
        _validator(name)(value)
    except fastjsonschema.JsonSchemaValueException:
        return False
    return True


def problems(value: Any, name: str) -> list[str]:
    """Return what is wrong with a value by a schema, a line each; empty where it conforms."""
    return [] if conforms(value, name) else [f"{error.json_path}: {error.message}" for error in _errors(value, name)]


def check_shape(root: Node, path: str) -> list[Finding]:
    """Return what the schema of the file format finds in a document, each at the value at fault."""
    value = root.plain()
    if conforms(value, SCHEDULES):
        return []
    return [finding for error in _errors(value, SCHEDULES) for finding in _findings(error, root, path)]


def _errors(value: Any, name: str) -> Iterable[Any]:
    import jsonschema

    errors: Iterable[Any] = jsonschema.Draft7Validator(_schema(name)).iter_errors(value)
    return errors


def _findings(error: Any, root: Node, path: str) -> Iterator[Finding]:
    node, key_place = _find(root, list(error.absolute_path), path)
    rule = error.validator
    if _SAID_ELSEWHERE in error.absolute_schema_path:
        return
    if rule == "anyOf":
        yield Finding("SS121", f"`{error.absolute_path[-1]}` takes a list of values, or `{{file: NAME}}`", key_place)
    elif rule == "additionalProperties" and isinstance(error.instance, dict):
        yield from _unknown_keys(error, node, path)
    elif rule == "type":
        yield _wrong_type(error, node, key_place)
    elif rule == "required":
        for missing in (key for key in error.validator_value if key not in error.instance):
            yield Finding("SS122", f"`{missing}` is missing", key_place, _required_hint(missing))
    else:
        yield Finding("SS123", _outside(error), _place(node, path, key_place), _outside_hint(error))


def _find(root: Node, steps: Sequence[str | int], path: str) -> tuple[Node, Location]:
    """Return the node at the end of a path, and the place of the key that leads to it, or its own."""
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
        hint = did_you_mean(key, known) or f"known here: {', '.join(known)}"
        yield Finding("SS120", f"unknown key `{key}`", node.key_at(path, key), hint)


def _wrong_type(error: Any, node: Node, key_place: Location) -> Finding:
    wanted = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
    words = [_TYPES[word] for word in wanted if word != "null"]
    name = error.absolute_path[-1] if error.absolute_path else "the file"
    subject = f"`{name}`" if isinstance(name, str) and name != "the file" else "an item" if name != "the file" else name
    place = _place(node, key_place.path, key_place)
    private = _is_private(error.absolute_path) and isinstance(error.instance, (str, int, float))
    given = ("text" if isinstance(error.instance, str) else "a number") if private else _described(error.instance)
    message = f"{subject} takes {' or '.join(words)}, not {given}"
    return Finding("SS121", message, place, None if private else _type_hint(name, error.instance, wanted))


def _type_hint(name: str | int, value: Any, wanted: Sequence[str]) -> str | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and name in _DURATIONS:
        return duration_hint(value, whole_seconds=name != "every")
    if isinstance(value, str) and "number" in wanted:
        return decimal_comma_hint(value)
    if isinstance(value, dict) and len(value) == 1 and None in value.values():
        return f'a placeholder needs quotes: "{{{next(iter(value))}}}"'
    return None


def _described(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    return f'`"{_short(value)}"`' if isinstance(value, str) else f"`{_short(value)}`"


def _is_private(path: Sequence[str | int]) -> bool:
    """Say whether a value may be a secret: an argument, a header, or what stands under a key of such a name."""
    return any(isinstance(step, str) and (step in _ARGUMENTS or is_secret_key(step)) for step in path)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _required_hint(missing: str) -> str | None:
    return {"version": "write `version: 1`", "task": "the task's name, as the worker registers it"}.get(missing)


_OUTSIDE: Mapping[str, Callable[[Any], str]] = {
    "const": lambda error: f"takes {error.validator_value!r}, not {_described(error.instance)}",
    "enum": lambda error: _enum_said(error),
    "minimum": lambda error: f"is at least {error.validator_value}",
    "maximum": lambda error: f"is at most {error.validator_value}",
    "minLength": lambda _: "is not empty",
    "minItems": lambda _: "is not empty",
    "minProperties": lambda _: "is not empty",
    "maxLength": lambda error: f"has at most {error.validator_value} characters",
    "uniqueItems": lambda _: "names something twice",
    "pattern": lambda error: _pattern_said(error),
}


def _outside(error: Any) -> str:
    last = error.absolute_path[-1] if error.absolute_path else "the file"
    name = f"`{last}`" if isinstance(last, str) else "an item"
    if "propertyNames" in error.absolute_schema_path:
        return f"`{error.instance}` is no name for a placeholder: letters, digits and `_`"
    said = _OUTSIDE.get(error.validator, lambda one: f"does not fit: {_short(one.message)}")
    return f"{name} {said(error)}"


def _outside_hint(error: Any) -> str | None:
    key = error.absolute_path[-1] if error.absolute_path else None
    if error.validator == "pattern" and key in _DURATIONS:
        return duration_text_hint(error.instance, whole_seconds=key != "every")
    if error.validator in ("minimum", "maximum") and key == "latitude" and abs(error.instance) <= 180:
        return "perhaps latitude and longitude are swapped"
    return None


def _enum_said(error: Any) -> str:
    words = [value for value in error.validator_value if isinstance(value, str)]
    others = [value for value in error.validator_value if not isinstance(value, str)]
    said = f"takes one of {', '.join([*words, *map(json.dumps, others)])}"
    near = did_you_mean(error.instance, words) if isinstance(error.instance, str) else None
    return f"{said}; {near}" if near else said


def _pattern_said(error: Any) -> str:
    if "us|s|m|h|d" in error.validator_value:
        return f"takes one whole number and us, s, m, h or d, such as `5m`, not {_described(error.instance)}"
    if error.validator_value == r"^\S+$":
        return f"holds no white space, unlike {_described(error.instance)}"
    return f"does not match `{error.validator_value}`"
