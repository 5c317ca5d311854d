"""Several sets in one document: shares of the room, and sets that have no room at all."""

from __future__ import annotations

from schedsync.render.comment.fitted import Block, Row, fitted, lines
from schedsync.render.comment.markdown import Extent
from schedsync.render.comment.several_sets import Part, joined, not_done


def part(name: str, rows: int) -> Part:
    """A set with a line of counts and some rows."""
    blocks = [lines(f"## {name}", f"{rows} to delete"), Block([Row("x" * 99) for _ in range(rows)])]
    return lambda extent: fitted(blocks, extent.limit, extent.where, extent.size)


def test_a_set_that_needs_less_than_its_share_leaves_the_rest_to_the_others() -> None:
    text = joined([part("big", 500), part("small", 3), part("large", 500)], Extent(20_000, "Look there."))
    big, small, large = (section.count("x" * 99) for section in text.split("## ")[1:])

    assert (small, big) == (3, large)
    assert 85 < big < 100
    assert len(text) <= 20_000
    assert text.count("schedules are left out here, because not everything fits.** Look there.") == 2


def test_more_sets_than_there_is_room_for_are_counted() -> None:
    text = joined([part(f"set-{number}", 100) for number in range(100)], Extent(10_000, "Look there."))
    shown = text.count("## set-")

    assert len(text) <= 10_000
    assert 20 < shown < 100
    assert text.startswith(
        f"**{100 - shown} of 100 sets are left out here, because not everything fits.** Look there.\n"
    )


def test_the_reasons_of_a_failure_are_code_whatever_they_hold() -> None:
    extent = Extent(3_000, "Look there.")
    text = not_done(
        ["error: a\n# @team\n\n<b>\x1b[1m", *(f"finding {number} {'x' * 90}" for number in range(100))], extent
    )

    assert len(text) <= 3_000
    assert text.startswith("**Not done:**\n")
    assert "\n    error: a\n    # @team\n    <b>\\u001b[1m\n    finding 0 x" in text
    assert "lines are left out here" in text
