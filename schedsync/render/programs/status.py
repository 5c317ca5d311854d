"""The status as JSON."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from datetime import datetime, timedelta
from typing import Any

from schedsync.core.status import BeatStatus, Listed, Status
from schedsync.core.timing import instant_text
from schedsync.planning.converter import full_pause_document
from schedsync.planning.standing import standing_document
from schedsync.render.programs.json_ import dump


def status_json(value: Status) -> str:
    """Write all of it; instants in UTC, ``seen`` in seconds. A list has at most 1,000 entries, ``counts`` has all."""
    lists = _lists(value)
    return dump(
        {
            **_head(value),
            "last_beat": None if value.last_beat is None else _document(value.last_beat),
            "applies": [_document(apply) for apply in value.management.applies],
            "enabled": value.schedules.enabled,
            "managed": value.management.managed,
            "standing_pauses": [standing_document(pause) for pause in value.management.standing],
            "frozen": [_document(each) for each in value.management.frozen],
            "counts": {
                **{name: None if entries is None else entries.count for name, entries in lists.items()},
                "monitors_waiting": value.management.monitors_waiting,
            },
            **{
                name: None if entries is None else [_document(entry) for entry in entries.first]
                for name, entries in lists.items()
            },
        }
    )


def host_json(value: Status) -> str:
    """Write whether a Beat is live on this host."""
    return dump(_head(value))


def _head(value: Status) -> dict[str, Any]:
    return {
        "version": 1,
        "verdict": value.verdict.value,
        "problems": [{"code": code, "message": message} for code, message in value.problems.items()],
        "at": instant_text(value.at),
        "number": value.number,
        "environment": value.environment,
        "everything_paused": full_pause_document(value.full_pause) if value.full_pause else None,
        "beats": [_beat_document(beat) for beat in value.beats],
    }


def _lists(value: Status) -> dict[str, Listed[Any] | None]:
    schedules, management = value.schedules, value.management
    return {
        "due": schedules.due,
        "overdue": schedules.overdue,
        "failed": value.failed,
        "broken": schedules.broken,
        "never_ran": schedules.never_ran,
        "disabled_long": schedules.disabled_long,
        "unregistered": schedules.unregistered,
        "paused": management.paused,
        "held": management.held,
        "drifted": management.drifted,
        "removing": management.removing,
        "rolled_back": management.rolled_back,
        "opened": management.opened,
        "unmanaged": management.unmanaged,
    }


def _beat_document(beat: BeatStatus) -> dict[str, Any]:
    values: dict[str, Any] = _document(beat)
    if beat.report is not None:
        broken = {"broken_count": beat.report.broken.count, "broken": _document(beat.report.broken.first)}
        values["report"] = {**values["report"], **broken}
    return values


def _document(value: Any) -> Any:
    """Return a value as JSON values."""
    if is_dataclass(value) and not isinstance(value, type):
        return _document(asdict(value))
    if isinstance(value, dict):
        return {name: _document(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_document(entry) for entry in value]
    if isinstance(value, timedelta):
        return round(value.total_seconds(), 3)
    return instant_text(value) if isinstance(value, datetime) else value
