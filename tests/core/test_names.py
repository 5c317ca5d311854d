"""Long lists of names are cut, and the number of the others is named."""

from __future__ import annotations

from schedsync.core.names import and_more, first_names


def test_names_within_the_limit_are_all_shown() -> None:
    assert first_names(["a", "b"], 2) == "a, b"
    assert and_more(2, 2) == ""


def test_names_beyond_the_limit_are_counted() -> None:
    assert first_names(["a", "b", *"c" * 1234], 2) == "a, b and 1,234 more"
