"""The places where two lists are the same: right for all lists, and found soon for long ones."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from schedsync.core.matching import Matcher

ITEMS = st.lists(st.sampled_from("abcdefgh"), max_size=12)


@settings(max_examples=200, deadline=None)
@given(ITEMS, ITEMS)
def test_the_operations_make_one_list_of_the_other(before: list[str], after: list[str]) -> None:
    result: list[str] = []
    kinds = []
    for kind, start, end, from_, to in Matcher(before, after).get_opcodes():
        kinds.append(kind)
        assert kind != "equal" or before[start:end] == after[from_:to]
        result += before[start:end] if kind == "equal" else after[from_:to]
    assert result == after
    # What is the same stands in one operation.
    assert "equal equal" not in " ".join(kinds)


def test_lines_that_repeat_are_told_apart_by_those_that_do_not() -> None:
    before = [line for number in range(3000) for line in (f"job-{number}", "task", "queue", "")]
    after = [line.replace("queue", "crm") for line in before]
    after[4:8] = []

    codes = Matcher(before, after).get_opcodes()

    assert [code[0] for code in codes].count("replace") == 2999
    assert Matcher(["x"] * 600, ["y", *["x"] * 500, "y"]).get_opcodes()[-1][0] == "replace"
