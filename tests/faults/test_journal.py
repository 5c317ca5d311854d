"""The journal of Beats that are killed, and of those that end in good order: the first lose one renewal at most."""

from __future__ import annotations

import signal
from typing import Any

from schedsync.core.journal_data import instant, unpacked
from schedsync.core.timing import instant_text
from tests.faults.arena import PATIENCE, Arena, everywhere

Tick = tuple[str, str]


def journaled(arena: Arena, epoch: int) -> set[Tick]:
    """Return what was sent by the journal: the schedule's name, and the tick."""
    names = dict(arena.sql("SELECT id, name FROM django_celery_beat_periodictask"))
    ticks: set[Tick] = set()
    for (data,) in arena.sql(f"SELECT data FROM schedsync_journalsegment WHERE epoch = {epoch} AND turn = ''"):
        document, (rows, columns, _) = unpacked(bytes(data))
        again = [(note[1], note[3]) for note in document["notes"] if note[2] == "sent"]
        ticks |= {
            (names[row_id], instant_text(instant(tick))) for row_id, tick in (*zip(rows, columns, strict=True), *again)
        }
    return ticks


def turns(arena: Arena) -> list[tuple[int, str, Any]]:
    """Return who led: the epoch, whether that begins or ends, and which epoch was seen before."""
    rows = arena.sql("SELECT epoch, turn, data FROM schedsync_journalsegment WHERE turn <> '' ORDER BY id")
    return [(epoch, turn, unpacked(bytes(data))[0].get("before", {}).get("epoch")) for epoch, turn, data in rows]


def sent(arena: Arena, pid: int) -> set[Tick]:
    return {(line["name"], line["tick"]) for line in arena.sent() if line["pid"] == pid}


def test_what_two_beats_have_sent_is_in_the_journal(elected: list[Arena]) -> None:
    def scenario(arena: Arena) -> None:
        with arena.beat() as killed:
            arena.wait_until(lambda: bool(journaled(arena, 1)))
            arena.wait_for(30)
        with arena.beat() as ended:
            arena.wait_for(30, by=ended.pid)
            ended.send_signal(signal.SIGTERM)
            ended.wait(PATIENCE)
        known, all_sent = journaled(arena, 1), sent(arena, killed.pid)
        last = {name: max(tick for of, tick in known if of == name) for name, _ in known}

        assert known <= all_sent
        # What is lost comes after all that is there.
        assert [tick for tick in all_sent - known if tick[1] < last[tick[0]]] == []
        assert journaled(arena, 2) == sent(arena, ended.pid)
        assert turns(arena) == [(1, "begin", None), (2, "begin", 1), (2, "end", None)]

    everywhere(elected, scenario)
