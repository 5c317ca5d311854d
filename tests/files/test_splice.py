"""A text is edited in place: it then says the new values, and nothing else of it has changed."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from schedsync.files.edits import Edit, apply_edits
from schedsync.files.spans import spans_of
from schedsync.files.splice import edit_value, spliced
from schedsync.files.writer import yaml_text

TEXT = st.one_of(
    st.sampled_from(
        ["", "x", "*/5 * * * *", "a: b", "# c", "yes", "08:30", "it's", 'q"', "a\nb", "a\nb\n", "- x", "é{", "~"]
    ),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12),
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-99, 99), st.sampled_from([0.5, 1e30]), TEXT)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.sampled_from("abcdef"), inner, max_size=4)),
    max_leaves=12,
)
MAPPINGS = st.dictionaries(st.sampled_from("abcdef"), VALUES, min_size=1, max_size=5)


def edited(text: str, value: Any) -> str:
    return spliced(text, lambda written, root: edit_value(written, root, value))


def as_block(values: Any) -> str:
    return str(yaml.safe_dump(values, sort_keys=False, allow_unicode=True, default_flow_style=False, width=1000))


def as_brackets(values: Any) -> str:
    return str(yaml.safe_dump(values, sort_keys=False, allow_unicode=True, default_flow_style=True, width=30))


def as_json(values: Any) -> str:
    return json.dumps(values, ensure_ascii=False, indent=2) + "\n"


@settings(max_examples=150, deadline=None)
@given(
    MAPPINGS,
    MAPPINGS,
    st.sampled_from([as_block, as_brackets, as_json, yaml_text]),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_an_edited_text_says_the_new_values(before: Any, after: Any, written: Any, newline: str, ends: bool) -> None:
    text = written(before).replace("\n", newline)
    text = text if ends else text.rstrip("\r\n")
    before = spans_of(text).plain()

    assert spans_of(edited(text, after)).plain() == after
    # Where a text ends within a block scalar, a line's end would belong to the value: it is written in quotes.
    if spans_of(text + newline).plain() == before:
        assert edited(text, before) == text


@settings(max_examples=100, deadline=None)
@given(MAPPINGS, st.data())
def test_only_the_lines_of_a_changed_value_change(before: Any, data: Any) -> None:
    key = data.draw(st.sampled_from(sorted(before)))
    text = "".join(f"# about {name}\n{as_block({name: value})}" for name, value in before.items())
    before = spans_of(text).plain()
    new = edited(text, {**before, key: data.draw(SCALARS)})
    parts, new_parts = text.split("# about "), new.split("# about ")

    assert [part for part in parts if part[:1] != key] == [part for part in new_parts if part[:1] != key]


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        pytest.param("a: 'x'  # c\n", {"a": "it's"}, "a: 'it''s'  # c\n", id="single quotes"),
        pytest.param('a: "x"  # c\n', {"a": "y"}, 'a: "y"  # c\n', id="double quotes"),
        pytest.param("a: 0 2 * * *\n", {"a": "0 3 * * *"}, "a: 0 3 * * *\n", id="plain"),
        pytest.param("a: 0 2 * * *\n", {"a": "*/5 * * * *"}, 'a: "*/5 * * * *"\n', id="no longer plain"),
        pytest.param("a: [x, y]\n", {"a": ["x", "a, b"]}, 'a: [x, "a, b"]\n', id="between brackets"),
        pytest.param("a: {x: 1, y: 2} # c\n", {"a": {"y": 2}}, "a: {y: 2} # c\n", id="out of brackets"),
        pytest.param("a: {x: 1, y: 2}\n", {"a": {"x": 1}}, "a: {x: 1}\n", id="the last out of brackets"),
        pytest.param("a:\n  - x\n  # c\n  - z\n", {"a": ["x", 1, "z"]}, "a:\n  - x\n  - 1\n  # c\n  - z\n", id="item"),
        pytest.param("a: &n x\nb: *n\n", {"a": "x", "b": "y"}, "a: &n x\nb: y\n", id="alias"),
        pytest.param("n: &n {x: 1}\nb:\n  <<: *n\n", {"n": {"x": 1}, "b": {"x": 2}},
                     "n: &n {x: 1}\nb:\n  <<: *n\n  x: 2\n", id="merge"),
        pytest.param("a: |\n    x\n    y\nb: 1\n", {"a": "x\nz\n", "b": 1}, "a: |\n    x\n    z\nb: 1\n", id="lines"),
        pytest.param("a:\nb: 1\n", {"a": 2, "b": 1}, "a: 2\nb: 1\n", id="nothing before"),
        pytest.param('{"a": {"b": "x"}}', {"a": {"b": "y", "c": "z"}}, '{"a": {"b": "y", "c": "z"}}', id="JSON"),
        pytest.param("a: 1\r\nb: 2\r\n", {"a": 1, "c": 3}, "a: 1\r\nc: 3\r\n", id="CRLF"),
        pytest.param("a: 1\nb: 2", {"a": 1}, "a: 1", id="no line end"),
        pytest.param("a: grün\u2028x\nb: ü\n", {"a": "grün\u2028x", "b": "ö"}, "a: grün\u2028x\nb: ö\n", id="no ASCII"),
    ],
)  # fmt: skip
def test_what_stays_keeps_its_style(text: str, value: Any, expected: str) -> None:
    assert edited(text, value) == expected


def test_edits_that_overlap_are_refused() -> None:
    with pytest.raises(ValueError, match="overlaps"):
        apply_edits("abcdef", [Edit(0, 3, "x"), Edit(2, 4, "y")])


def test_edits_outside_the_text_are_refused() -> None:
    with pytest.raises(ValueError, match="end of the text"):
        apply_edits("abc", [Edit(2, 4, "")])
