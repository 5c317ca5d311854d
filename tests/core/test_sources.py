"""What a source of the application may give: a list of texts and whole numbers, in any order, and never nothing."""

from __future__ import annotations

import enum
import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedsync.core.sources import MAX_VALUES, Source, source_document, source_from, source_of
from schedsync.files.bounds import MAX_SCHEDULES
from schedsync.schemas.validator import SNAPSHOT, problems
from tests.core.made import snapshot_with

VALUES = st.one_of(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=50).map(str.strip).filter(bool),
    st.integers(-(2**63) + 1, 2**63 - 1),
)


@given(st.lists(VALUES, min_size=1, max_size=20), st.randoms())
def test_the_order_and_repetitions_do_not_matter(values: list[Any], random: Any) -> None:
    shuffled = [*values, *values[:3]]
    random.shuffle(shuffled)
    result = source_of("tenants", shuffled)

    assert result == source_of("tenants", iter(values))
    if result.problem is None:
        assert set(result.values) == set(values)
        assert len(result.values) == len({str(value) for value in values})


@settings(deadline=None)  # the first call compiles the schema
@given(st.lists(VALUES, min_size=1, max_size=20))
def test_a_snapshot_holds_the_values_and_conforms(values: list[Any]) -> None:
    result = source_of("tenants", values)
    document = json.loads(json.dumps(source_document(result)))

    assert list(problems(snapshot_with({"tenants": document}), SNAPSHOT)) == []
    if result.problem is None:
        assert source_from("tenants", document) == result


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.integers() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_answer_gives_values_or_a_problem(answer: Any) -> None:
    result = source_of("tenants", answer)

    assert bool(result.values) is (result.problem is None)
    assert all(len(str(value)) <= 200 and str(value).encode() for value in result.values)


def test_texts_come_after_numbers_and_both_are_sorted() -> None:
    assert source_of("tenants", {"b", 10, "a", 9}).values == (9, 10, "a", "b")


class Plan(enum.IntEnum):
    GOLD = 1


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (None, "gives `None`, not a list of values"),
        ("acme", "gives a value of the type `str`, not a list of values"),
        ({"acme": 1}, "gives a value of the type `dict`, not a list of values"),
        (7, "gives a value of the type `int`, not a list of values"),
        ([], "gives no value"),
        ([True], "gives a value of the type `bool`"),
        ([1.5], "gives a value of the type `float`"),
        ([None], "gives a value of the type `NoneType`"),
        ([("acme",)], "gives a value of the type `tuple`"),
        ([Plan.GOLD], "gives a value of the type `Plan`"),
        ([2**70], "gives a number with more than 64 bits"),
        (["acme", ""], "gives a value that is empty, or begins or ends with white space"),
        (["acme "], "gives a value that is empty, or begins or ends with white space"),
        (["a" * 201], "gives a value of 201 characters"),
        (["a\ud800b"], r"gives a value with half a character, 'a\ud800b'"),
        (["***"], "gives the value `***`"),
        (["postgresql://shop:hunter22@db/shop"], "gives a value that looks like a secret"),
        ([1, "1"], "gives 1 both as a number and as text"),
        (itertools.count(), "gives more than 200,000 values"),
    ],
)
def test_any_other_answer_is_a_problem(answer: Any, problem: str) -> None:
    result = source_of("tenants", answer)

    assert result.values == ()
    assert result.problem == f"the source `tenants` {problem}"


def test_an_exception_of_a_query_is_not_swallowed() -> None:
    def tenants() -> Iterator[str]:
        yield "acme"
        raise LookupError("gone")

    with pytest.raises(LookupError):
        source_of("tenants", tenants())


def test_a_source_may_give_as_many_values_as_a_set_may_have_schedules() -> None:
    assert MAX_VALUES == MAX_SCHEDULES
    assert source_of("tenants", range(MAX_VALUES)).problem is None


def test_values_in_a_snapshot_are_checked_again() -> None:
    assert source_from("tenants", {"values": ["b", "a", "a"]}).values == ("a", "b")
    assert source_from("tenants", {"values": [" "]}).problem is not None


def test_a_problem_hides_a_password() -> None:
    problem = "the source `tenants` failed: no route to postgresql://shop:hunter22@db/shop"

    assert "hunter22" not in json.dumps(source_document(Source((), problem, "correct it there")))


def test_a_problem_with_half_a_character_can_be_read_again() -> None:
    document = source_document(Source((), "the source `tenants` failed: KeyError: '\ud800'"))

    assert document == {"problem": r"the source `tenants` failed: KeyError: '\ud800'", "hint": None}
