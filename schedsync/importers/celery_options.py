"""The options of an entry of ``beat_schedule`` as fields of a schedule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any

from schedsync.core.schedule import LONGEST_NAME, canonical_json
from schedsync.core.timing import in_calendar
from schedsync.importers.not_taken import CannotTakeError

#: Options that are names, or objects of kombu that have a name.
_NAMED = ("queue", "exchange", "routing_key")
#: In seconds: the largest number of the column.
_LONGEST_EXPIRY = 2**31 - 1
_HIGHEST_PRIORITY = 255


def option_fields(options: Any, zone: tzinfo) -> dict[str, Any]:
    """Return the fields of a spec that the options mean; instants without an offset are in ``zone``.

    Raises CannotTakeError for an option that a row has no place for, because Beat would then send another message.
    """
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        raise CannotTakeError(f"`options` is of type {type(options).__name__}")
    fields: dict[str, Any] = {}
    for name, value in options.items():
        if value is None:
            continue
        if name not in _READERS:
            raise CannotTakeError(f"the option `{name}` has no place in a row", "set it on the task")
        fields |= _READERS[name](str(name), value, zone)
    return fields


def _named(name: str, value: Any, _zone: tzinfo) -> dict[str, Any]:
    text = value if isinstance(value, str) else getattr(value, "name", None)
    if not isinstance(text, str) or not 0 < len(text) <= LONGEST_NAME:
        raise CannotTakeError(f"`{name}` is not a text of 1 to {LONGEST_NAME} characters")
    return {name: text}


def _priority(name: str, value: Any, _zone: tzinfo) -> dict[str, Any]:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _HIGHEST_PRIORITY:
        raise CannotTakeError(f"`priority` is not a whole number from 0 to {_HIGHEST_PRIORITY}")
    return {name: value}


def _headers(name: str, value: Any, _zone: tzinfo) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise CannotTakeError(f"`headers` is of type {type(value).__name__}")
    return {name: json_text(name, dict(value))}


def _expires(_name: str, value: Any, zone: tzinfo) -> dict[str, Any]:
    """Return when a message expires: a number of seconds after it is sent, or an instant."""
    if isinstance(value, (datetime, str)):
        return {"expires_at": _instant(value, zone)}
    if isinstance(value, bool) or not isinstance(value, (int, float, timedelta)):
        raise CannotTakeError(f"`expires` is of type {type(value).__name__}")
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if not 0 < seconds <= _LONGEST_EXPIRY:
        raise CannotTakeError("`expires` is not more than 0 seconds and at most 2,147,483,647")
    if seconds != int(seconds):
        raise CannotTakeError("`expires` has a fraction of a second; the table holds whole seconds", "round it")
    return {"expires_after": int(seconds)}


def _instant(value: datetime | str, zone: tzinfo) -> datetime:
    try:
        at = value if isinstance(value, datetime) else datetime.fromisoformat(value.replace("Z", "+00:00"))
        at = (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise CannotTakeError("`expires` is not an instant") from None
    if not in_calendar(at):
        raise CannotTakeError("`expires` is not within the years 1970 and 9990")
    return at


def json_text(key: str, value: Any) -> str:
    """Return a value as canonical JSON; raises CannotTakeError if JSON cannot hold it."""
    try:
        return canonical_json(value)
    except (TypeError, ValueError, RecursionError) as error:
        reason = "it is nested too deep" if isinstance(error, RecursionError) else str(error).partition("\n")[0]
        raise CannotTakeError(f"`{key}` is not JSON: {reason}", "give the task plain values") from None


_READERS: Mapping[Any, Callable[[str, Any, tzinfo], dict[str, Any]]] = {
    **dict.fromkeys(_NAMED, _named),
    "priority": _priority,
    "headers": _headers,
    "expires": _expires,
    # django-celery-beat's own name for the same.
    "expire_seconds": _expires,
}
