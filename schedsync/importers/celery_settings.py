"""The entries of Celery's setting ``beat_schedule`` as schedules.

An entry is taken as stock Beat sends it, not as django-celery-beat writes it into a row: that loses ``expires`` and
``relative``. An entry is taken as a whole or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from schedsync.core.location import Location
from schedsync.core.observed import Typed
from schedsync.core.schedule import LONGEST_NAME, Schedule, Spec
from schedsync.core.timing import canonical_zone
from schedsync.importers.celery_options import json_text, option_fields
from schedsync.importers.celery_timing import timing_of
from schedsync.importers.not_taken import CannotTakeError, NotTaken

#: Where messages say that an entry is.
SETTING = "CELERY_BEAT_SCHEDULE"
#: Keys that Celery's own ``ScheduleEntry`` knows.
_KEYS = frozenset({"task", "schedule", "args", "kwargs", "options", "relative"})
#: Keys that only django-celery-beat knows: it writes them into columns of the row. The type of each value.
_COLUMNS: Mapping[str, type] = {"enabled": bool, "one_off": bool, "description": str}


@dataclass(frozen=True, slots=True)
class BeatSchedule:
    """The schedules of the settings, and the entries that were not taken.

    ``columns`` are, by name, the columns of a row that an entry gives besides what Celery knows, such as `enabled`.
    ``typed`` are arguments and headers by name, with their keys in the order of the settings.
    """

    schedules: tuple[Schedule, ...] = ()
    not_taken: tuple[NotTaken, ...] = ()
    columns: Mapping[str, frozenset[str]] = field(default_factory=dict)
    typed: Mapping[str, Typed] = field(default_factory=dict)


def read_beat_schedule(entries: Mapping[Any, Any], zone: tzinfo) -> BeatSchedule:
    """Return the entries as schedules; ``zone`` is the time zone of the Celery app, in which its crontabs run."""
    schedules: list[Schedule] = []
    not_taken: list[NotTaken] = []
    columns: dict[str, frozenset[str]] = {}
    typed: dict[str, Typed] = {}
    for key, entry in entries.items():
        name = str(key)
        try:
            schedules.append(Schedule(name, _spec(name, entry, zone), Location(SETTING, 1, 1)))
            columns[name] = frozenset(entry.keys() & _COLUMNS.keys())
            typed[name] = _typed(entry, schedules[-1].spec)
        except CannotTakeError as error:
            not_taken.append(NotTaken(name, error.reason, error.hint))
    return BeatSchedule(tuple(schedules), tuple(not_taken), columns, typed)


def zone_name(zone: tzinfo | None) -> str:
    """Return the IANA name of a time zone; raises CannotTakeError if it has none."""
    # ``key`` is zoneinfo's, ``zone`` is pytz's.
    name = getattr(zone, "key", None) or getattr(zone, "zone", None) or (str(zone) if str(zone) == "UTC" else None)
    try:
        return canonical_zone(str(name))
    except ValueError:
        hint = "set `CELERY_TIMEZONE` to a name such as `Europe/Berlin`"
        raise CannotTakeError("its time zone has no name of IANA's database", hint) from None


def _spec(name: str, entry: Any, zone: tzinfo) -> Spec:
    if not isinstance(entry, Mapping):
        raise CannotTakeError("it is not a dictionary")
    _check_length("name", name)
    if unknown := sorted(map(str, entry.keys() - _KEYS - _COLUMNS.keys())):
        raise CannotTakeError(f"unknown key `{unknown[0]}`")
    relative = bool(entry.get("relative"))
    return Spec(
        task=_task(entry.get("task")),
        timing=timing_of(entry.get("schedule"), relative=relative, zone=lambda own: zone_name(own or zone)),
        args=_args(entry.get("args")),
        kwargs=_kwargs(entry.get("kwargs")),
        **option_fields(entry.get("options"), zone),
        **{key: _column(key, entry[key]) for key in _COLUMNS if key in entry},
    )


def _typed(entry: Mapping[Any, Any], spec: Spec) -> Typed:
    """Return what the entry of a spec says, as text."""
    values = entry.get("args"), entry.get("kwargs"), (entry.get("options") or {}).get("headers")
    texts = (json.dumps(dict(value) if isinstance(value, Mapping) else value) for value in values)
    return Typed(spec.task, spec.queue, *texts)


def _task(task: Any) -> str:
    name = task if isinstance(task, str) else getattr(task, "name", None)
    if not isinstance(name, str) or not name:
        raise CannotTakeError("it names no task")
    return _check_length("task", name)


def _check_length(field: str, text: str) -> str:
    if not text or len(text) > LONGEST_NAME:
        raise CannotTakeError(f"its {field} has {len(text):,} characters; the table holds 1 to {LONGEST_NAME}")
    return text


def _column(key: str, value: Any) -> Any:
    if not isinstance(value, _COLUMNS[key]):
        raise CannotTakeError(f"`{key}` is not of type {_COLUMNS[key].__name__}")
    return value


def _args(value: Any) -> str:
    """Return positional arguments as canonical JSON; tuples become lists, as they do in a message."""
    if value is None:
        return "[]"
    if not isinstance(value, (list, tuple)):
        raise CannotTakeError(f"`args` is of type {type(value).__name__}")
    return json_text("args", list(value))


def _kwargs(value: Any) -> str:
    if value is None:
        return "{}"
    if not isinstance(value, Mapping):
        raise CannotTakeError(f"`kwargs` is of type {type(value).__name__}")
    return json_text("kwargs", dict(value))
