"""The first thing in a configuration that its schema does not allow, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schedsync.core.finding import did_you_mean
from schedsync.core.names import shortened
from schedsync.schemas.validator import CONFIG, conforms, errors
from schedsync.schemas.wording import described, predicate, type_predicate, unknown_key_hint

_UNKNOWN_KEY = "additionalProperties"
_TYPES = {"object": "a table", "array": "a list of texts"}
_RULE_KEYS = ("select", "extend_select", "ignore")
_TABLES = ("safety.allow", "freeze")


def first_problem(table: Mapping[str, Any]) -> tuple[str, str | None] | None:
    """Return a message and a hint or None, unknown keys before all else; None where the schema allows everything."""
    if conforms(table, CONFIG):
        return None
    first = min(errors(table, CONFIG), key=lambda each: (each.validator != _UNKNOWN_KEY, str(each.json_path)))
    return _explained(first)


def _explained(error: Any) -> tuple[str, str | None]:
    """Return a message that names the key at fault, and a hint where there is one."""
    keys = [step for step in error.absolute_path if isinstance(step, str)]
    key = ".".join(keys)
    if error.validator == _UNKNOWN_KEY:
        known = list(error.schema["properties"])
        unknown = next(name for name in error.instance if name not in known)
        return f"unknown key `{'.'.join([*keys, unknown])}`", unknown_key_hint(unknown, known)
    if error.validator == "anyOf" and keys[-1] in _RULE_KEYS:
        hint = did_you_mean(str(error.instance), error.validator_value[0]["enum"]) or "`schedsync rules` lists them"
        return f"`{key}`: no rule `{shortened(error.instance)}`", hint
    subject = f"`{key}`" if isinstance(error.absolute_path[-1], str) else f"an item of `{key}`"
    if error.validator == "type" and key in _TABLES:
        return f"`{key}` takes a list of tables", f"begin each entry with `[[{key}]]`"
    if error.validator == "type":
        given = "a table" if isinstance(error.instance, dict) else described(error.instance)
        return f"{subject} {type_predicate(error, given, _TYPES)}", None
    return f"{subject} {predicate(error)}", None
