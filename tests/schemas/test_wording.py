"""Everything that a schema does not allow is a sentence that tells what the value must be."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from schedsync.schemas.wording import described, predicate, type_predicate


def error(schema: dict[str, Any], value: Any) -> Any:
    (result,) = jsonschema.Draft7Validator(schema).iter_errors(value)
    return result


@pytest.mark.parametrize(
    ("schema", "value", "sentence"),
    [
        ({"const": 1}, "1", 'takes 1, not `"1"`'),
        ({"enum": ["latest", "all", None]}, "lates", "takes one of latest, all, null; did you mean `latest`?"),
        ({"enum": [1, 2]}, 3, "takes one of 1, 2"),
        ({"minimum": 0}, -1, "must be at least 0"),
        ({"maximum": 5}, 6, "must be at most 5"),
        ({"minLength": 1}, "", "must not be empty"),
        ({"minItems": 1}, [], "must not be empty"),
        ({"minProperties": 1}, {}, "must not be empty"),
        ({"maxLength": 2}, "abc", "must have at most 2 characters"),
        ({"maxItems": 1}, [1, 2], "must have at most 1 items"),
        ({"uniqueItems": True}, ["b", "a", "a"], 'names `"a"` twice'),
        ({"uniqueItems": True}, [1, 1.0], "names a value twice"),
        ({"pattern": r"^\S+$"}, "a b", 'must not contain white space, unlike `"a b"`'),
        ({"pattern": "^a$"}, "b", "does not match `^a$`"),
        ({"multipleOf": 2}, 3, "does not fit: 3 is not a multiple of 2"),
    ],
)
def test_a_value_that_is_not_allowed_is_told_what_is(schema: dict[str, Any], value: Any, sentence: str) -> None:
    assert predicate(error(schema, value)) == sentence


def test_a_wrong_type_is_told_the_right_ones_but_not_null() -> None:
    wrong = error({"type": ["string", "array", "null"]}, 3)

    assert type_predicate(wrong, "`3`") == "takes text or a list, not `3`"
    assert type_predicate(wrong, "`3`", {"array": "a list of texts"}) == "takes text or a list of texts, not `3`"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (None, "nothing"),
        ({}, "a mapping"),
        ([], "a list"),
        (1.5, "`1.5`"),
        ("x" * 61, f'`"{"x" * 60}…"`'),
    ],
)
def test_a_value_is_described_by_its_type_or_its_text(value: object, text: str) -> None:
    assert described(value) == text
