"""What to write instead of a number in the wrong form. A hint proposes only what the format accepts."""

from __future__ import annotations

import re
from typing import Any

from schedsync.core.monitor import LONGEST, SHORTEST
from schedsync.core.timing import UNITS, Interval, TimingError, interval

_DURATIONS = ("every", "expires_after", "starting_deadline", "max_runtime", "grace")
_MOST_DEGREES = 180
_SECOND, _MINUTE = 10**6, 60 * 10**6
#: The largest count of seconds that the table holds for an expiry or a deadline.
_MOST_SECONDS = 2**31 - 1
_DECIMAL = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,12})?)\s?(us|s|m|h|d)?\Z", re.ASCII)
_COMMA = re.compile(r"([-+]?[0-9]{1,3}),([0-9]{1,15})\Z", re.ASCII)


def type_hint(error: Any) -> str | None:
    """Return what to write instead of a value of the wrong type, None where no hint is known."""
    key, value = _key(error), error.instance
    if isinstance(value, (int, float)) and not isinstance(value, bool) and key in _DURATIONS:
        if _is_in_monitor(error):
            return f"write `{int(value)}m` for minutes" if value in range(1, LONGEST // SHORTEST + 1) else None
        return duration_hint(value, whole_seconds=key != "every")
    if isinstance(value, str) and "number" in error.validator_value:
        return decimal_comma_hint(value)
    if isinstance(value, dict) and len(value) == 1 and None in value.values():
        return f'a placeholder needs quotes: "{{{next(iter(value))}}}"'
    return None


def value_hint(error: Any) -> str | None:
    """Return what to write instead of a value that is not allowed, None where no hint is known."""
    key, value = _key(error), error.instance
    if error.validator == "pattern" and key in _DURATIONS and not _is_in_monitor(error):
        return duration_text_hint(value, whole_seconds=key != "every")
    if error.validator in ("minimum", "maximum") and key == "latitude" and abs(value) <= _MOST_DEGREES:
        return "perhaps latitude and longitude are swapped"
    return None


def _key(error: Any) -> str | int | None:
    return error.absolute_path[-1] if error.absolute_path else None


def _is_in_monitor(error: Any) -> bool:
    """Say whether a value is a time of a monitor, which takes at least a minute."""
    return list(error.absolute_path)[-2:-1] == ["monitor"]


def duration_hint(value: float, *, whole_seconds: bool) -> str | None:
    """Return how to write a bare number as a duration, None where no duration says it."""
    # Also false for `nan`, and for what is too large to multiply.
    if not 0 < value <= _MOST_SECONDS:
        return None
    if value == int(value):
        seconds = f"write `{int(value)}s` for seconds"
        minutes = _interval(value * _MINUTE)
        fits = minutes is not None and (not whole_seconds or value * 60 <= _MOST_SECONDS)
        return f"{seconds}, `{int(value)}m` for minutes" if fits else seconds
    if whole_seconds:
        return f"whole seconds: write `{max(round(value), 1)}s`"
    exact = _interval(value * _SECOND)
    return f"write `{_text(exact)}` for seconds" if exact else None


def duration_text_hint(text: str, *, whole_seconds: bool) -> str | None:
    """Return how to write a duration that has a decimal point or no unit, None for any other text."""
    match = _DECIMAL.match(text)
    if match is None:
        return None
    if match[2] is None:
        return duration_hint(float(match[1]), whole_seconds=whole_seconds)
    exact = _interval(float(match[1]) * UNITS[match[2]])
    if exact is None or (whole_seconds and not _is_whole(exact)):
        return None
    return f"write `{_text(exact)}`"


def _is_whole(timing: Interval) -> bool:
    seconds, rest = divmod(timing.microseconds, _SECOND)
    return not rest and seconds <= _MOST_SECONDS


def _interval(microseconds: float) -> Interval | None:
    try:
        return interval(round(microseconds), 1)
    except TimingError:
        return None


def _text(timing: Interval) -> str:
    return str(timing).removeprefix("every ")


def decimal_comma_hint(text: str) -> str | None:
    """Return the hint for a number with a decimal comma, None for any other text."""
    match = _COMMA.match(text)
    return f"write {match[1]}.{match[2]} with a point" if match else None
