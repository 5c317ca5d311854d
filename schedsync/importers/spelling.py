"""A spec becomes the fields that a person would write for it: the shortest spelling, and nothing that is a default."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any

from schedsync.core.observed import Typed
from schedsync.core.schedule import Spec, canonical_json
from schedsync.core.timing import Clocked, Crontab, Interval, Solar, Timing, duration_text, instant_text
from schedsync.files.formatting.roles import SCHEDULE_KEYS
from schedsync.files.writer import Instant, Quoted

_DAYS = str.maketrans(dict(zip("0123456", ("sun", "mon", "tue", "wed", "thu", "fri", "sat"), strict=True)))
_EMPTY = {"args": "[]", "kwargs": "{}", "headers": "{}"}


def fields_of(spec: Spec, zone: tzinfo, typed: Typed | None = None) -> dict[str, Any]:
    """Return the fields of a spec in their order; instants are written as the clocks of a zone show them.

    Keys of JSON are in the order in which somebody ``typed`` them, else in that of the alphabet.
    """
    return {"task": spec.task, **timing_fields(spec.timing, zone), **dict(_options(spec, zone, typed))}


def in_order(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields in the order in which people read them."""
    return {key: fields[key] for key in SCHEDULE_KEYS if key in fields}


def timing_fields(timing: Timing, zone: tzinfo) -> dict[str, Any]:
    """Return the keys of a timing: its own, and that of its time zone unless it is UTC."""
    if isinstance(timing, Crontab):
        fields = {"crontab": Quoted(_crontab_text(timing))}
        return fields if timing.timezone == "UTC" else {**fields, "timezone": timing.timezone}
    if isinstance(timing, Interval):
        return {"every": str(timing).removeprefix("every ")}
    if isinstance(timing, Solar):
        degrees = {"latitude": _number(timing.latitude), "longitude": _number(timing.longitude)}
        return {"solar": {"event": timing.event, **degrees}}
    return {"at": instant_in(timing.at, zone)}


def _crontab_text(timing: Crontab) -> str:
    fields = timing.expression.split()
    return " ".join([*fields[:4], _weekdays(fields[4])])


def _weekdays(text: str) -> str:
    """Write days of the week by their names, Sunday at the end: ``0,6`` becomes ``sat,sun``."""
    if "*" in text:
        return text
    first, comma, rest = text.partition(",")
    ordered = f"{rest},{first}" if comma and first == "0" else text
    return ordered.translate(_DAYS)


def _number(text: str) -> int | float:
    value = Decimal(text)
    return int(value) if value == int(value) else float(value)


def instant_in(value: datetime, zone: tzinfo) -> Instant:
    """Return an instant as the clocks of a zone show it."""
    local = value.astimezone(zone)
    offset = local.utcoffset()
    if not offset or offset.total_seconds() % 60:
        return Instant(instant_text(value))
    return Instant(local.isoformat())


def _options(spec: Spec, zone: tzinfo, typed: Typed | None) -> Iterator[tuple[str, Any]]:
    """Yield each field with another value than its default, besides task and timing."""
    yield from _message(spec, typed)
    for key in ("expires_at", "start_at"):
        if (instant := getattr(spec, key)) is not None:
            yield key, instant_in(instant, zone)
    if spec.one_off and not isinstance(spec.timing, Clocked):
        yield "one_off", True
    if not spec.enabled:
        yield "enabled", False
    if spec.description:
        yield "description", spec.description


def _message(spec: Spec, typed: Typed | None) -> Iterator[tuple[str, Any]]:
    for key, empty in _EMPTY.items():
        if (text := getattr(spec, key)) != empty:
            yield key, _in_typed_order(text, getattr(typed, key, text))
    for key in ("queue", "exchange", "routing_key", "priority"):
        if (value := getattr(spec, key)) is not None:
            yield key, value
    if spec.expires_after is not None:
        yield "expires_after", duration_text(spec.expires_after)


def _in_typed_order(text: str, typed: str) -> Any:
    """Return the value of a canonical text with its keys in the order of another text that says the same."""
    try:
        value = json.loads(typed)
        return value if canonical_json(value) == text else json.loads(text)
    except (ValueError, RecursionError):
        return json.loads(text)
