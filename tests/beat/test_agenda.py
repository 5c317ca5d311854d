"""The agenda gives out what a plain table of instants would."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from schedsync.beat.agenda import Agenda
from schedsync.beat.loaded_schedule import LoadedSchedule
from tests.beat.made import loaded

NOON = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)
MINUTES = st.integers(0, 30)


def schedule(row_id: int, minute: int | None) -> LoadedSchedule:
    return loaded(row_id=row_id, tick=None if minute is None else NOON + timedelta(minutes=minute))


@given(st.lists(st.tuples(st.sampled_from(["put", "drop", "pop"]), st.integers(0, 8), st.one_of(st.none(), MINUTES))))
def test_it_gives_out_what_is_due_the_earliest_first(acts: list[tuple[str, int, int | None]]) -> None:
    schedules: dict[int, LoadedSchedule] = {}
    agenda, table = Agenda(schedules), {}
    for act, row_id, minute in acts:
        if act == "put":
            # Half of them are read anew, the others move on.
            made = schedule(row_id, minute)
            kept = schedules.setdefault(row_id, made) if (minute or 0) % 2 else made
            kept.tick = made.tick
            schedules[row_id] = kept
            agenda.put(kept)
            table.pop(row_id, None)
            if minute is not None:
                table[row_id] = minute
        elif act == "drop":
            schedules.pop(row_id, None)
            table.pop(row_id, None)
        else:
            due = sorted((at, row_id) for row_id, at in table.items() if at <= (minute or 0))[:3]
            assert agenda.pop(NOON + timedelta(minutes=minute or 0), 3) == [row_id for _, row_id in due]
            table = {row_id: at for row_id, at in table.items() if (at, row_id) not in due}
        assert {row_id for row_id, kept in schedules.items() if kept.noted_at is not None} == table.keys()
        first = min(table.values(), default=None)
        assert agenda.next_at() == (None if first is None else NOON + timedelta(minutes=first))


def test_what_moves_often_leaves_nothing_behind() -> None:
    moving = schedule(1, 0)
    agenda = Agenda({1: moving})
    for minute in range(5_000):
        moving.tick = NOON + timedelta(minutes=minute)
        agenda.put(moving)

    assert len(agenda._heap) < 1_100
    assert agenda.pop(NOON + timedelta(days=9), 10) == [1]
