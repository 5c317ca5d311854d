"""SS206: many schedules that start in the same minute, while other minutes are idle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from schedsync.calendar.load import load_of
from schedsync.calendar.window import Window
from schedsync.core.crontab import FIELDS_BY_NAME, expand
from schedsync.core.names import first_names
from schedsync.core.schedule import Schedule
from schedsync.core.timing import WEEKDAYS, Crontab, Solar
from schedsync.lint.rule import Context, Found, Rule

#: A worst minute below three times the average is no herd: where all minutes are busy, no offset helps.
_ABOVE_AVERAGE = 3
_NAMED = 3


class _Herd(NamedTuple):
    at: datetime
    starts: int
    members: Sequence[Schedule]


def _whole(context: Context) -> Iterator[Found]:
    limit = context.options.max_starts
    counted = [each for each in context.schedules if each.spec.enabled and not isinstance(each.spec.timing, Solar)]
    while len(counted) > limit and (herd := _worst(counted, context.now, limit)):
        yield _found(herd, limit)
        gone = {schedule.name for schedule in herd.members}
        counted = [schedule for schedule in counted if schedule.name not in gone]


def _worst(schedules: Sequence[Schedule], now: datetime, limit: int) -> _Herd | None:
    """Return the worst minute of the week, or None where it is within the limit or has no crontab to move."""
    load = load_of(schedules, Window.of(_monday(now)), lambda *_: iter(()))
    if load.worst <= max(limit, _ABOVE_AVERAGE * sum(load.total) / len(load.total)):
        return None
    peak = load.peaks(1, lambda *_: iter(()))[0]
    names = set(peak.names)
    members = [each for each in schedules if each.name in names and isinstance(each.spec.timing, Crontab)]
    return _Herd(peak.at, peak.starts, members) if members else None


def _monday(now: datetime) -> datetime:
    day = now.astimezone(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=day.weekday())


def _found(herd: _Herd, limit: int) -> Found:
    first = min(herd.members, key=lambda schedule: schedule.name)
    names = tuple(sorted(schedule.name for schedule in herd.members))
    message = f"{herd.starts:,} schedules start at {WEEKDAYS[herd.at.weekday()]} {herd.at:%H:%M} UTC, more than {limit}"
    return Found(first, message, "crontab", f"{first_names(names, _NAMED)}; {_proposal(first)}", names)


def _proposal(schedule: Schedule) -> str:
    """Propose the minute that ``H`` gives this name: always the same one, and another for most other names."""
    timing = schedule.spec.timing
    if not isinstance(timing, Crontab):
        return "spread them"
    text = _hashed(timing)
    (minute,) = expand("H", FIELDS_BY_NAME["minute"], schedule.name)
    return f"spread them: `{text}` puts this one at minute {minute}"


def _hashed(timing: Crontab) -> str:
    minutes = expand(timing.minute, FIELDS_BY_NAME["minute"])
    step = timing.minute.removeprefix("*/")
    text = "H" if len(minutes) == 1 or not timing.minute.startswith("*/") else f"H/{step}"
    return timing.expression.replace(timing.minute, text, 1)


RULE = Rule(
    code="SS206",
    name="herd",
    summary="more than `max_starts` schedules that start in the same minute",
    severity="warning",
    why="Many schedules start at the full hour. The broker, the workers and the database then get in one minute the "
    "load that they could get in sixty. This rule reports the worst minute of the week if it has more than "
    "`max_starts` starts (30 by default) and more than three times the average of all minutes. It then leaves those "
    "schedules out and looks for the next worst minute.",
    remedy="Write `H` for the minute. Each name then gets its own minute, which never changes for that name.",
    bad="""
sync-{n}:
  task: shop.tasks.sync
  crontab: "0 * * * *"
  kwargs: {n: "{n}"}
  for_each:
    n: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
        13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
        23, 24, 25, 26, 27, 28, 29, 30, 31, 32]
""",
    good="""
sync-{n}:
  task: shop.tasks.sync
  crontab: "H * * * *"
  kwargs: {n: "{n}"}
  for_each:
    n: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
        13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
        23, 24, 25, 26, 27, 28, 29, 30, 31, 32]
""",
    whole=_whole,
)
