"""A list in JSON is read an element at a time, as ``json.loads`` reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedsync.core.json_list import elements

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
INDENTS = st.none() | st.integers(0, 2)
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32-le"])


def outcome(data: bytes) -> Any:
    try:
        value = json.loads(data)
    except ValueError:
        return ValueError
    return value if isinstance(value, list) else ValueError


def read(data: bytes) -> Any:
    try:
        return list(elements(data))
    except ValueError:
        return ValueError


@given(VALUES, INDENTS, ENCODINGS, st.booleans())
def test_elements_are_those_of_the_whole_list(value: Any, indent: int | None, encoding: str, ascii_only: bool) -> None:
    data = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode(encoding, "surrogatepass")

    assert read(data) == outcome(data)


@given(st.text(alphabet='[]{},:"\\ \n1a'))
def test_damaged_lists_are_refused(text: str) -> None:
    assert read(text.encode()) == outcome(text.encode())


@pytest.mark.parametrize(
    "text", ["", " ", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[]]", "[] 1", "{}", "[1]x", "\xff"]
)
def test_what_is_no_list_is_refused(text: str) -> None:
    assert read(text.encode("latin-1")) is ValueError


def test_blanks_may_be_anywhere_between_elements() -> None:
    assert list(elements(b' \n[ 1\t,\r\n {"a": 2} ] \n')) == [1, {"a": 2}]
    assert list(elements(b"[ ]")) == []
