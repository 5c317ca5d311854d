"""Reads the facts of a soak, by SQL of its own and from the logs, so that no reader of schedsync judges itself."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from schedsync.core.journal_data import unpacked
from tests.faults.arena import Arena, read_sent
from tests.soak.facts import Noted, Record, Reign, Run

_ROWS = """
    SELECT p.name, p.task, p.kwargs, p.enabled, p.queue, p.description, i.every, i.period
    FROM django_celery_beat_periodictask p JOIN django_celery_beat_intervalschedule i ON i.id = p.interval_id
"""
_ACTS = re.compile(r"^(\S+ \S+) WARNING this agent acts, epoch (\d+)$", re.M)


def seconds(at: datetime | str) -> float:
    """Return an instant as seconds since 1970."""
    value = datetime.fromisoformat(at.replace("Z", "+00:00")) if isinstance(at, str) else at
    return (value if value.tzinfo else value.replace(tzinfo=timezone.utc)).timestamp()


def runs(file: Path) -> list[Run]:
    """Return what the workers began, in order."""
    return [
        Run(line["name"], seconds(line["tick"]), line["id"], line["at"]) for line in read_sent(file) if line["tick"]
    ]


def records(arena: Arena) -> list[Record]:
    """Return the audit, in order."""
    rows = arena.sql('SELECT at, verb, who, "commit", changes FROM schedsync_syncrun ORDER BY at')
    return [
        Record(seconds(at), verb, who, commit, json.loads(zlib.decompress(bytes(data))))
        for at, verb, who, commit, data in rows
    ]


def rows(arena: Arena) -> dict[str, dict[str, Any]]:
    """Return the rows of django-celery-beat that have an interval."""
    return {
        name: {
            "task": task, "kwargs": json.loads(kwargs), "enabled": bool(enabled), "queue": queue,
            "description": description, "timing": {"every": f"{every}{period[0]}"},
        }
        for name, task, kwargs, enabled, queue, description, every, period in arena.sql(_ROWS)
    }  # fmt: skip


def ledger(arena: Arena) -> dict[str, dict[str, Any]]:
    return {name: json.loads(text) for name, text in arena.sql("SELECT name, applied FROM schedsync_managedschedule")}


def claims(arena: Arena) -> dict[str, float]:
    found = arena.sql(
        "SELECT p.name, c.tick FROM schedsync_claim c JOIN django_celery_beat_periodictask p ON p.id = c.row_id"
        " JOIN schedsync_managedschedule m ON m.row_id = c.row_id WHERE c.confirmed"
    )
    return {name: seconds(tick) for name, tick in found}


def journal(arena: Arena) -> list[Noted]:
    """Return what the journal has as sent, of the rows that are still there."""
    names = dict(arena.sql("SELECT id, name FROM django_celery_beat_periodictask"))
    found = arena.sql("SELECT name, epoch, data FROM schedsync_journalsegment WHERE turn = '' ORDER BY id")
    return [noted for beat, epoch, data in found for noted in _noted(names, beat, epoch, bytes(data))]


def _noted(names: dict[int, str], beat: str, epoch: int, data: bytes) -> Iterator[Noted]:
    _, (ids, ticks, late) = unpacked(data)
    for row_id, tick, after in zip(ids, ticks, late, strict=True):
        if row_id in names:
            yield Noted(names[row_id], tick / 1e6, epoch, beat, tick / 1e6 + after / 1e3)


def agents(root: Path) -> list[Reign]:
    """Return from when on which agent acted, by the logs."""
    found = []
    for log in root.glob("agent-*.log"):
        for at, epoch in _ACTS.findall(log.read_text(errors="replace")):
            found.append(Reign(int(epoch), log.stem, seconds(at.replace(",", "."))))
    return sorted(found, key=lambda reign: reign.epoch)


def applied_commit(arena: Arena) -> str:
    return next((commit for (commit,) in arena.sql('SELECT "commit" FROM schedsync_appliedfiles')), "") or ""
