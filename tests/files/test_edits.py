"""Edits of a text: all at once, in any order, and never two at one place."""

from __future__ import annotations

import pytest

from schedsync.files.edits import Edit, apply_edits


def test_edits_change_only_their_own_characters() -> None:
    edits = [Edit(4, 5, "E"), Edit(0, 1, ""), Edit(2, 2, "++")]

    assert apply_edits("abcdef", edits) == "b++cdEf"
    assert apply_edits("abc", []) == "abc"


def test_edits_that_touch_do_not_overlap() -> None:
    assert apply_edits("abcd", [Edit(0, 2, "x"), Edit(2, 4, "y"), Edit(2, 2, "-")]) == "x-y"


@pytest.mark.parametrize(
    "edits", [[Edit(0, 2, ""), Edit(1, 3, "")], [Edit(2, 9, "")], [Edit(2, 1, "")], [Edit(-1, 1, "")]]
)
def test_an_edit_that_overlaps_or_is_outside_is_an_error(edits: list[Edit]) -> None:
    with pytest.raises(ValueError, match="overlaps"):
        apply_edits("abcd", edits)
