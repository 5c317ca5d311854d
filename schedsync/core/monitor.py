"""A monitor as value: how late a run may start, and how long it may take, before a service raises the alarm."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import NamedTuple

from schedsync.core.timing import Clocked, Crontab, Interval, Solar, Timing, TimingError, duration, duration_text

#: In seconds. Sentry counts in minutes, and Healthchecks takes no shorter grace.
SHORTEST = 60
#: In seconds: 28 days, the longest that Sentry takes.
LONGEST = 28 * 86_400
#: In seconds.
DEFAULT_GRACE, DEFAULT_RUNTIME = 300, 1_800
_MINUTE = 60 * 10**6
#: In microseconds: a year, the longest that Healthchecks takes.
_LONGEST_INTERVAL = 365 * 1_440 * _MINUTE


class Monitor(NamedTuple):
    """What a service watches of a schedule; both times are in seconds.

    A run that starts later than ``grace`` after its slot is missed, and one that takes longer than ``max_runtime`` has
    failed.
    """

    grace: int = DEFAULT_GRACE
    max_runtime: int = DEFAULT_RUNTIME


def monitor_text(monitor: Monitor) -> str:
    """Return a monitor as canonical JSON, as a spec and the ledger have it."""
    return f'{{"grace":"{duration_text(monitor.grace)}","max_runtime":"{duration_text(monitor.max_runtime)}"}}'


@lru_cache(maxsize=1024)
def monitor_in(text: str | None) -> Monitor | None:
    """Read a monitor back from its JSON; None where there is none, or its text has another shape."""
    try:
        values = json.loads(text or "null")
        monitor = Monitor(*(duration(values[key]) // 10**6 for key in ("grace", "max_runtime")))
    except (ValueError, KeyError, TypeError, TimingError, RecursionError):
        return None
    return monitor if all(SHORTEST <= seconds <= LONGEST for seconds in monitor) else None


def unwatchable(timing: Timing, *, one_off: bool) -> str | None:
    """Say why no service can watch a schedule, in words that follow its name; None where services can."""
    if isinstance(timing, Clocked) or one_off:
        return "runs once"
    if isinstance(timing, Solar):
        return "follows the sun, which no service knows"
    if isinstance(timing, Interval):
        whole = timing.microseconds % _MINUTE == 0 and timing.microseconds <= _LONGEST_INTERVAL
        return None if whole else "has an interval that is not whole minutes, or is longer than 365 days"
    return _unlike_cron(timing)


def _unlike_cron(timing: Crontab) -> str | None:
    """Say how Celery and the services differ about a crontab, None where they agree on its days."""
    if timing.day_of_month == "*" or timing.day_of_week == "*":
        return None
    return "runs on days that match both its day of the month and its day of the week; services take either for a match"
