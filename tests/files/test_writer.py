"""The writer of YAML: what it writes is read back as it was, and looks as a person would write it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedsync.files.formatting.canonical import canonical_text
from schedsync.files.writer import Instant, Quoted, comment, yaml_text
from schedsync.files.yaml import read

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60).filter(
    lambda text: "***" not in text
)
VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXT
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)),
    max_leaves=12,
)  # fmt: skip


def read_back(text: str) -> Any:
    node, findings = read(text.encode(), "a.yaml")
    assert findings == []
    assert node is not None
    return node.plain()


@given(st.dictionaries(TEXT, VALUES, min_size=1, max_size=4), st.sampled_from([1, 2]))
@settings(deadline=None)
def test_any_values_are_read_back_as_they_were(values: dict[str, Any], levels: int) -> None:
    text = yaml_text(values, levels)

    assert read_back(text) == values
    assert canonical_text(text) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain words", "plain words"),
        ("yes", '"yes"'),
        ("08:30", '"08:30"'),
        ("010", '"010"'),
        ("", '""'),
        ("a: b", '"a: b"'),
        ('{"a": 1}', "'{\"a\": 1}'"),
        (Quoted("30 2 * * mon-fri"), '"30 2 * * mon-fri"'),
        (Instant("2026-12-24T18:00:00+01:00"), "2026-12-24T18:00:00+01:00"),
        (None, "null"),
        ("one\ntwo", "|-\n  one\n  two"),
        ("one \r\ntwo", '"one \\r\\ntwo"'),
        ("caf\u00e9 \U0001f389", "caf\u00e9 \U0001f389"),
        ("a\u2028\x85\u202eb", '"a\\u2028\\u0085\\u202eb"'),
        ({"kind": "full", "n": [1, 2]}, "{kind: full, n: [1, 2]}"),
        ([[[[]]]], "[[[[]]]]"),
        ([[[[], {}], 1], {"a": [[{}]]}], "[[[[], {}], 1], {a: [[{}]]}]"),
        (["x" * 50, "y" * 50], f"\n  - {'x' * 50}\n  - {'y' * 50}"),
        ({"<<": 1}, '{"<<": 1}'),
    ],
)
def test_values_look_as_a_person_writes_them(value: Any, text: str) -> None:
    assert yaml_text({"key": value}) == f"key:{'' if text.startswith(chr(10)) else ' '}{text}\n"


@given(st.text(max_size=300))
def test_no_text_can_break_out_of_a_comment(text: str) -> None:
    lines = comment(text, 2).encode("utf-8", "strict").decode().splitlines()

    assert lines
    assert all(line.startswith("# ") for line in lines)
    assert read_back("\n".join([*lines, "version: 1"])) == {"version": 1}


def test_a_comment_cannot_switch_a_rule_off() -> None:
    assert comment("`x # schedsync: ignore[SS206]`") == "# `x # schedsync\\u003a ignore[SS206]`\n"


def test_only_a_plain_merge_key_merges() -> None:
    assert read_back('"<<": {a: 1}\n<<: {b: 2}\n') == {"<<": {"a": 1}, "b": 2}
