"""Counts are in the words of the reader, and one thing is not called many."""

from __future__ import annotations

import pytest

from schedsync.core.observed import Managed
from schedsync.core.status import LastApply, Late, Listed, Management, Schedules, Status
from schedsync.render.terminal.ledger import release_intent
from schedsync.render.terminal.status import status_text
from tests.conftest import NOW


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ({"create": 7, "adopt": 0, "update": 1}, ": 7 created, 1 updated\n"),
        ({"rename_set": 6}, ": 6 under the set's new name\n"),
        ({"of a later version": 2}, ": 2 of a later version\n"),
    ],
)
def test_status_says_what_the_last_apply_has_done(counts: dict[str, int], text: str) -> None:
    apply = LastApply("shop", None, None, "jo", NOW, counts)

    assert text in status_text(Status(NOW, NOW, 1, management=Management((apply,))))


def test_a_release_says_its_or_their() -> None:
    one, two = Managed("a", "shop", 1, ""), Managed("b", "shop", 2, "")

    assert release_intent([one], [], [])[1] == "Its row stays as it is, and Beat goes on with it"
    assert release_intent([one, two], [], [])[1] == "Their rows stay as they are, and Beat goes on with them"


def test_no_line_of_status_begins_with_a_command_of_a_runner() -> None:
    late = tuple(Late(name, NOW) for name in ("a", "::stop-commands::x"))
    found = status_text(Status(NOW, NOW, 1, schedules=Schedules(overdue=Listed(2, late)))).splitlines()

    assert any("stop-commands" in line for line in found)
    assert not [line for line in found if line.lstrip().startswith("::")]
