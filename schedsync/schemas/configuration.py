"""The first thing in a configuration that its schema does not allow, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from schedsync.core.finding import did_you_mean
from schedsync.core.names import shortened
from schedsync.schemas.validator import CONFIG, conforms, errors
from schedsync.schemas.wording import described, predicate, type_predicate, unknown_key_hint

_UNKNOWN_KEY = "additionalProperties"
_TYPES = {"object": "a table", "array": "a list of texts"}
_RULE_KEYS = ("select", "extend_select", "ignore")
_TABLES = ("safety.allow", "freeze", "agent.follow")


class Problem(NamedTuple):
    """What a schema does not allow, and a hint or None; ``place`` are the keys and indexes that lead to it."""

    message: str
    hint: str | None
    place: tuple[str | int, ...]


def first_problem(table: Mapping[str, Any], schema: str = CONFIG) -> Problem | None:
    """Return the first problem of a configuration, unknown keys before all else; None where it has none."""
    if conforms(table, schema):
        return None
    first = min(errors(table, schema), key=lambda each: (each.validator != _UNKNOWN_KEY, str(each.json_path)))
    message, hint, last = _explained(first)
    return Problem(message, hint, (*first.absolute_path, *last))


def _explained(error: Any) -> tuple[str, str | None, tuple[str, ...]]:
    """Return a message that names the key at fault, a hint where there is one, and the key if it is an unknown one."""
    keys = [step for step in error.absolute_path if isinstance(step, str)]
    key = ".".join(keys)
    if error.validator == _UNKNOWN_KEY:
        known = list(error.schema["properties"])
        unknown = next(name for name in error.instance if name not in known)
        return f"unknown key `{'.'.join([*keys, unknown])}`", unknown_key_hint(unknown, known), (unknown,)
    if error.validator == "anyOf" and keys[-1] in _RULE_KEYS:
        hint = did_you_mean(str(error.instance), error.validator_value[0]["enum"]) or "`schedsync rules` lists them"
        return f"`{key}`: no rule `{shortened(error.instance)}`", hint, ()
    if not error.absolute_path:
        return f"the file {predicate(error)}", None, ()
    subject = f"`{key}`" if isinstance(error.absolute_path[-1], str) else f"an item of `{key}`"
    if error.validator == "type" and key in _TABLES:
        return f"`{key}` takes a list of tables", f"begin each entry with `[[{key}]]`", ()
    if error.validator == "type":
        given = "a table" if isinstance(error.instance, dict) else described(error.instance)
        return f"{subject} {type_predicate(error, given, _TYPES)}", None, ()
    return f"{subject} {predicate(error)}", None, ()
