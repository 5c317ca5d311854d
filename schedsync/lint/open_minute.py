"""SS223: a crontab that runs far more often than its narrowest field suggests, because a finer one is open."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from schedsync.calendar.slots import fields_of, runs_a_day
from schedsync.core.crontab import FIELDS_BY_NAME, expand
from schedsync.core.schedule import Schedule
from schedsync.core.timing import Crontab
from schedsync.lint.rule import Context, Found, Rule

#: From the coarsest level to the finest. A crontab is narrow at a level where one of its fields is.
_LEVELS = (("month_of_year",), ("day_of_month", "day_of_week"), ("hour",), ("minute",))
_ONCE = {"day_of_month": "1", "hour": "0", "minute": "0"}
#: This many values in a row are meant as a span, such as `9-17`, in which the schedule runs again and again.
_SPAN = 3


def _each(schedule: Schedule, _context: Context) -> Iterator[Found]:
    timing = schedule.spec.timing
    if not isinstance(timing, Crontab):
        return
    level = narrow_level(timing)
    if level is None:
        return
    open_fields = _open_fields(timing, level)
    if all(_is_open_or_once(timing, fields) for fields in _LEVELS[level + 1 :]):
        once = ", ".join(f"`{name}: {_ONCE[name]}`" for name in open_fields)
        hint = f"if that is not meant, set {once}: `{_closed(timing, open_fields)}`"
        yield Found(schedule, f"{_runs(timing, level)}: {_open_text(open_fields)}", "crontab", hint)


@lru_cache(maxsize=4096)
def narrow_level(timing: Crontab) -> int | None:
    """Return the coarsest level with a narrow field; None where there is none, or no finer field is open."""
    for level in (0, 1, 2):
        if not _open_fields(timing, level):
            return None
        if any(_is_narrow(timing, name) for name in _LEVELS[level]):
            return level
    return None


def _open_fields(timing: Crontab, level: int) -> list[str]:
    """Return the first fields of the levels below a level whose fields are all `*`."""
    return [fields[0] for fields in _LEVELS[level + 1 :] if all(getattr(timing, name) == "*" for name in fields)]


def _is_narrow(timing: Crontab, name: str) -> bool:
    """Say whether a field names single values, and no span of them."""
    if getattr(timing, name) == "*":
        return False
    field = FIELDS_BY_NAME[name]
    numbers = {number - field.first for number in expand(getattr(timing, name), field)}
    size = field.last - field.first + 1
    return len(numbers) < size and not all(_is_in_span(number, numbers, size) for number in numbers)


def _is_in_span(number: int, numbers: set[int], size: int) -> bool:
    starts = range(number - _SPAN + 1, number + 1)
    return any(all((start + step) % size in numbers for step in range(_SPAN)) for start in starts)


def _is_open_or_once(timing: Crontab, fields: tuple[str, ...]) -> bool:
    return all(getattr(timing, name) == "*" or getattr(timing, name).isdigit() for name in fields)


def _closed(timing: Crontab, open_fields: list[str]) -> str:
    return " ".join(_ONCE[name] if name in open_fields else getattr(timing, name) for name in FIELDS_BY_NAME)


def _runs(timing: Crontab, level: int) -> str:
    if level == 0:
        return f"runs {365.25 * runs_a_day(timing):,.0f} times a year"
    count = len(fields_of(timing).minutes)
    return f"runs {count:,} times a day" + (", on each of its days" if level == 1 else "")


def _open_text(names: list[str]) -> str:
    words = [name.replace("_", " ") for name in reversed(names)]
    return f"its {' and its '.join(words)} {'is' if len(words) == 1 else 'are'} left open"


RULE = Rule(
    code="SS223",
    name="open-minute",
    summary="a crontab with an open minute, hour or day below a narrow field",
    severity="warning",
    why="A field that is left out, or is `*`, means each of its values. `{hour: 9}` runs 60 times, in each minute from "
    "09:00 to 09:59; `{day_of_month: 1}` runs 1,440 times on that day. Spans such as `* 9-17 * * mon-fri` are not "
    "flagged.",
    remedy="Set the finer fields too, such as `minute: 0`. If each minute is meant, say so with an ignore comment.",
    bad="""
check-delays:
  task: shop.tasks.check_delays
  crontab: {hour: 9}
""",
    good="""
check-delays:
  task: shop.tasks.check_delays
  crontab: {hour: 9, minute: 0}
""",
    each=_each,
)
