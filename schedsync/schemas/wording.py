"""What a schema does not allow, in words: the end of a sentence that begins with the name of the value."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from schedsync.core.finding import did_you_mean, nearest
from schedsync.core.names import shortened
from schedsync.core.secrets import masked

_TYPES: Mapping[str, str] = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}

#: Keys of other programs, and of coordinates elsewhere, by the word that they have here.
_ELSEWHERE = {
    "schedule": "crontab", "interval": "every", "period": "every", "seconds": "every", "tz": "timezone",
    "lat": "latitude", "lon": "longitude", "lng": "longitude", "long": "longitude",
}  # fmt: skip


def sentence(error: Any) -> str:
    """Return a sentence about a document: "`changes[0].apply.row` takes a whole number, not a list"."""
    place = error.json_path.removeprefix("$").removeprefix(".")
    subject = f"`{_shown(place)}`" if place else "the document"
    if error.validator == "additionalProperties":
        known = error.schema["properties"]
        unknown = next(key for key in error.instance if key not in known)
        return f"{subject} has an unknown key `{_shown(unknown)}`"
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        return f"{subject} lacks `{missing}`"
    if error.validator == "type":
        # Any value of a plan or a snapshot may be a row's, so none is quoted.
        return f"{subject} {type_predicate(error, _kind(error.instance))}"
    return f"{subject} {predicate(error)}"


def predicate(error: Any) -> str:
    """Return what a value must be, for an error that is not about its type or its keys: "must be at most 5"."""
    wording = _PREDICATES.get(error.validator)
    return wording(error) if wording else f"does not fit: {_shown(error.message)}"


def type_predicate(error: Any, given: str, types: Mapping[str, str] = _TYPES) -> str:
    """Return which types a value may have, and which was given: "takes text, not a list".

    ``types`` are the words for the types of JSON; null is never named, it only resets a value.
    """
    wanted = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
    words = [types.get(word, _TYPES[word]) for word in wanted if word != "null"]
    return f"takes {' or '.join(words)}, not {given}"


def unknown_key_hint(key: str, known: Sequence[str]) -> str:
    """Return the known key that was meant, or else all known keys."""
    meant = meant_key(key, known)
    return f"did you mean `{meant}`?" if meant else f"known here: {', '.join(known)}"


def meant_key(key: str, known: Collection[str]) -> str | None:
    """Return the known key that an unknown one stands for: the nearest, or that of the same meaning elsewhere."""
    near = nearest(key, known) or _ELSEWHERE.get(key.lower())
    return near if near in known else None


def described(value: Any) -> str:
    """Return a value as a message shows it: a mapping and a list by their type, text in quotes, cut where long."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    return f'`"{_shown(value)}"`' if isinstance(value, str) else f"`{_shown(value)}`"


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool):
        return "true or false"
    return "a number" if isinstance(value, (int, float)) else described(value)


def _shown(value: Any) -> str:
    """Return a value as text of at most 60 characters, masked if it seems to be a secret."""
    return shortened(masked(value))


def _one_of(error: Any) -> str:
    words = [value for value in error.validator_value if isinstance(value, str)]
    others = [value for value in error.validator_value if not isinstance(value, str)]
    choice = f"takes one of {', '.join([*words, *map(json.dumps, others)])}"
    near = did_you_mean(error.instance, words) if isinstance(error.instance, str) else None
    return f"{choice}; {near}" if near else choice


def _pattern(error: Any) -> str:
    if "us|s|m|h|d" in error.validator_value:
        return f"takes one whole number and us, s, m, h or d, such as `5m`, not {described(error.instance)}"
    if error.validator_value == r"^\S+$":
        return f"must not contain white space, unlike {described(error.instance)}"
    return f"does not match `{error.validator_value}`"


def _repeated(error: Any) -> str:
    seen: set[str] = set()
    for item in error.instance:
        text = json.dumps(item, default=str, sort_keys=True)
        if text in seen:
            return f"names {described(item)} twice"
        seen.add(text)
    return "names a value twice"


def _missing(error: Any) -> str:
    missing = [f"`{key}`" for key in error.validator_value if key not in error.instance]
    return f"needs {', '.join(missing)}"


_PREDICATES: Mapping[str, Callable[[Any], str]] = {
    "const": lambda error: f"takes {error.validator_value!r}, not {described(error.instance)}",
    "enum": _one_of,
    "minimum": lambda error: f"must be at least {error.validator_value}",
    "maximum": lambda error: f"must be at most {error.validator_value}",
    "minLength": lambda _: "must not be empty",
    "minItems": lambda _: "must not be empty",
    "minProperties": lambda _: "must not be empty",
    "maxLength": lambda error: f"must have at most {error.validator_value} characters",
    "maxItems": lambda error: f"must have at most {error.validator_value} items",
    "required": _missing,
    "uniqueItems": _repeated,
    "pattern": _pattern,
}
