"""A large record is read for one schedule without the changes of the others."""

from __future__ import annotations

from schedsync.core.history import Life
from schedsync.planning.history import concerning

LIVES = (Life("a"), Life("old"))


def test_documents_of_other_schedules_are_left_out_but_for_one() -> None:
    others = [{"kind": "update", "name": f"b{number}"} for number in range(9)]
    ours = [{"kind": "update", "name": "a"}, {"kind": "rename", "name": "new", "old_name": "old"}, {"kind": "lift"}]

    assert concerning([*others, *ours], LIVES, ()) == [*ours, others[0]]
    assert concerning([*others, *ours], (), ("b[12]",)) == [others[1], others[2], ours[2], others[0]]


def test_what_is_damaged_is_kept_for_those_who_count_it() -> None:
    damaged = [None, 5, {"name": ["a"]}, {"name": None}]

    assert concerning(damaged, LIVES, ()) == [None, 5, {"name": None}, {"name": ["a"]}]
    assert concerning("no list", LIVES, ()) == "no list"
