"""Crontab text in one canonical form that Celery and django-celery-beat read alike.

The two disagree on many spellings (celery/schedules.py ``crontab_parser`` and django_celery_beat/validators.py). This
module accepts only text with one meaning: ``7`` is Sunday, names and ranges that wrap round are expanded. The canonical
form is numeric.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from schedsync.core.finding import did_you_mean


class CrontabError(ValueError):
    """Text that is not a crontab: the message, the offset of the part at fault, and the remedy or None."""

    def __init__(self, message: str, *, offset: int = 0, hint: str | None = None, never_fires: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.hint = hint
        self.never_fires = never_fires


class Field(NamedTuple):
    """One of the five fields: its name, its range, its names for numbers, and whether a range may wrap round."""

    name: str
    first: int
    last: int
    names: Mapping[str, int]
    wraps: bool


_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip


def _names(words: tuple[str, ...], first: int) -> dict[str, int]:
    full = {word: number for number, word in enumerate(words, first)}
    return full | {word[:3]: number for word, number in full.items()}


FIELDS = (
    Field("minute", 0, 59, {}, False),
    Field("hour", 0, 23, {}, True),
    Field("day_of_month", 1, 31, {}, False),
    Field("month_of_year", 1, 12, _names(_MONTHS, 1), True),
    Field("day_of_week", 0, 6, _names(_DAYS, 0), True),
)
FIELDS_BY_NAME = {field.name: field for field in FIELDS}

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

# February as in leap years, so that the 29th can fire.
_DAYS_IN_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_HASHED = re.compile(r"H(?:\((\d{1,2})-(\d{1,2})\))?(?:/(\d{1,4}))?\Z", re.ASCII)
#: All sixty minutes, written out, take 170 characters.
_LONGEST = 1_000
_NEGATIVE = re.compile(r"-\d", re.ASCII)
_HASHED_WORD = re.compile(r"(?<![A-Za-z])H(?![A-Za-z])")


def split(text: str) -> list[tuple[str, int]]:
    """Split a crontab of five fields, or an alias such as ``@daily``, into fields with their offsets."""
    _check_length(text)
    stripped = text.strip()
    if stripped.startswith("@"):
        if stripped not in ALIASES:
            raise CrontabError(
                f"unknown alias `{stripped}`",
                hint=did_you_mean(stripped, ALIASES) or f"known: {', '.join(ALIASES)}",
            )
        return [(field, 0) for field in ALIASES[stripped].split()]
    fields = [(match[0], match.start()) for match in re.finditer(r"\S+", text)]
    if len(fields) != 5:
        raise CrontabError(
            f"a crontab has 5 fields, this one has {len(fields)}",
            hint="minute, hour, day of month, month, day of week; Beat has neither seconds nor years",
        )
    return fields


def expand(text: str, field: Field, seed: str = "") -> frozenset[int]:
    """Return the numbers that a field's text means; ``H`` is hashed from ``seed``, the schedule's name."""
    _check_length(text)
    return _expand(text, field.name, seed if is_hashed(text) else "")


def is_hashed(text: str) -> bool:
    """Say whether a crontab, or one of its fields, contains an ``H``."""
    return "H" in text and _HASHED_WORD.search(text) is not None


def _check_length(text: str) -> None:
    if len(text) > _LONGEST:
        raise CrontabError(f"{len(text):,} characters; a crontab has at most {_LONGEST:,}")


@lru_cache(maxsize=65536)
def _expand(text: str, name: str, seed: str) -> frozenset[int]:
    field, offset = FIELDS_BY_NAME[name], 0
    numbers: set[int] = set()
    for part in text.split(","):
        try:
            numbers |= _part(part, field, seed)
        except CrontabError as error:
            raise CrontabError(
                f"{field.name}: {error.message}", offset=offset + error.offset, hint=error.hint
            ) from None
        offset += len(part) + 1
    return frozenset(numbers)


def _part(part: str, field: Field, seed: str) -> set[int]:
    if not part:
        raise CrontabError("an empty part", hint="write a value on each side of the comma")
    if seed and (match := _HASHED.match(part)):
        return _hashed(match, field, seed)
    base, slash, step = part.partition("/")
    numbers = _base(base, field)
    if not slash:
        return set(numbers)
    size = _step(step, field, len(base) + 1, numbers[0])
    if base != "*" and "-" not in base:
        hint = f"write `{numbers[0]}-{field.last}/{step}`"
        raise CrontabError(f"a step needs `*` or a range, not `{part}`", hint=hint)
    return set(numbers[::size])


def _base(base: str, field: Field) -> list[int]:
    if base == "*":
        return list(range(field.first, field.last + 1))
    if _NEGATIVE.match(base):
        _name(base, field, 0)
    low, dash, high = base.partition("-")
    if not dash:
        return [_number(base, field) % 7 if field.name == "day_of_week" else _number(base, field)]
    return _range(_number(low, field), _number(high, field, len(low) + 1), field, base)


def _range(low: int, high: int, field: Field, text: str) -> list[int]:
    if low <= high:
        numbers = list(range(low, high + 1))
    elif field.wraps:
        numbers = [*range(low, field.last + 1), *range(field.first, high + 1)]
    else:
        raise CrontabError(
            f"the range `{text}` is reversed",
            hint=f"write `{low}-{field.last},{field.first}-{high}` to wrap round",
        )
    if field.name == "day_of_week":
        return list(dict.fromkeys(number % 7 for number in numbers))
    return numbers


def _number(text: str, field: Field, offset: int = 0) -> int:
    if not text.isascii() or not text.isdigit():
        return _name(text, field, offset)
    number = int(text) if len(text) <= 4 else field.last + 10
    last = 7 if field.name == "day_of_week" else field.last
    if not field.first <= number <= last:
        raise CrontabError(f"`{text}` is not within {field.first}-{last}", offset=offset)
    return number


def _name(text: str, field: Field, offset: int) -> int:
    known = field.names.get(text.lower())
    if known is not None:
        return known
    shown = f"`{text}` is not a {field.name.replace('_', ' ')}" if text else "an empty value"
    raise CrontabError(shown, offset=offset, hint=_name_hint(text, field))


_LAST_DAY = "for the last day of the month, write `28-31` and let the task look at the date"


def _name_hint(text: str, field: Field) -> str | None:
    if _NEGATIVE.match(text):
        meaning = f"`-1` often means the last day, which Celery does not know; {_LAST_DAY}"
        return meaning if field.name == "day_of_month" else "Celery knows no negative numbers"
    if text and set(text) & set("LW#?"):
        hint = "Celery knows no `L`, `W`, `#` and `?`"
        return f"{hint}; {_LAST_DAY}" if field.name == "day_of_month" and text == "L" else hint
    if text.strip() != text:
        return "remove the white space" if _is_number(text.strip(), field) else None
    return did_you_mean(text.lower(), field.names)


def _is_number(text: str, field: Field) -> bool:
    try:
        _number(text, field)
    except CrontabError:
        return False
    return True


def _step(text: str, field: Field, offset: int, once: int) -> int:
    size = field.last - field.first + 1
    step = int(text) if text.isascii() and text.isdigit() and len(text) <= 4 else 0
    if not 1 <= step < size:
        hint = f"write `{once}` to run once" if step else None
        raise CrontabError(f"the step `{text}` is not within 1-{size - 1}", offset=offset, hint=hint)
    return step


def _hashed(match: re.Match[str], field: Field, seed: str) -> set[int]:
    # Days after the 28th don't exist in every month.
    last = 28 if field.name == "day_of_month" else field.last
    low, high = (int(match[1]), int(match[2])) if match[1] else (field.first, last)
    if not field.first <= low <= high <= field.last:
        raise CrontabError(f"`{match[0]}` is not within {field.first}-{field.last}")
    digest = int.from_bytes(hashlib.sha256(f"{field.name}:{seed}".encode()).digest()[:8], "big")
    if not match[3]:
        return {low + digest % (high - low + 1)}
    step = _step(match[3], field, match[0].index("/") + 1, low)
    return set(range(low + digest % min(step, high - low + 1), high + 1, step))


def can_fire(days: frozenset[int], months: frozenset[int]) -> bool:
    """Say whether any of the days of the month exists in any of the months."""
    return any(day <= _DAYS_IN_MONTH[month - 1] for month in months for day in days)


@lru_cache(maxsize=65536)
def canonical(numbers: frozenset[int], name: str) -> str:
    """Return the canonical text of a set of numbers: ``*``, ``*/n``, or numbers and ranges."""
    field = FIELDS_BY_NAME[name]
    ordered = sorted(numbers)
    if len(ordered) == field.last - field.first + 1:
        return "*"
    step = ordered[1] - ordered[0] if len(ordered) > 2 else 0
    if step > 1 and ordered == list(range(field.first, field.last + 1, step)):
        return f"*/{step}"
    return ",".join(_runs(ordered))


def _runs(ordered: list[int]) -> list[str]:
    runs: list[list[int]] = []
    for number in ordered:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return [text for run in runs for text in _run(run)]


def _run(run: list[int]) -> list[str]:
    return [f"{run[0]}-{run[-1]}"] if len(run) > 2 else [str(number) for number in run]
