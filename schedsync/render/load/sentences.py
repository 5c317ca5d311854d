"""A load in sentences: how many starts a day, what starts in every minute, and which minutes stand out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone, tzinfo

from schedsync.calendar.crowds import Crowd
from schedsync.calendar.load import Load, Steady, Unplaced
from schedsync.calendar.slots import Fields
from schedsync.calendar.window import MINUTES_A_DAY
from schedsync.calendar.words import moment
from schedsync.core.names import first_names
from schedsync.render.timing_words import fields_words
from schedsync.render.words import counted, printable

#: A line lists this many names of one kind.
_NAMED = 5
#: The queues with the most starts are shown.
_QUEUES = 10
_EVERY_DAY, _EVERY_MONTH = frozenset(range(1, 32)), frozenset(range(1, 13))


def load_sentence(load: Load) -> str:
    """Write how many starts a load has, with steady load told apart: what starts in every minute."""
    names = f": {_names(load.steady.names)}" if load.steady.names else ""
    return f"Load: {_starts(load, load.besides_steady, load.unplaced.values(), load.steady)}{names}"


def _starts(load: Load, counts: Sequence[int], unplaced: Iterable[Unplaced], steady: Steady) -> str:
    """Write starts besides steady load, which are counts per minute and such as are in no known minute."""
    starts, most = sum(counts) + sum(each.in_all for each in unplaced), max(counts, default=0)
    parts = [f"{_rate(load, starts)}{f', at most {most:,} a minute' if most else ''}"] if starts else []
    parts += [f"{steady.a_minute:,} a minute, steadily"] if steady.names else []
    return "; and ".join(parts) or "no starts"


def _rate(load: Load, starts: int) -> str:
    """Write how many starts a day, or in all where these are few."""
    days = max(1, round((len(load.total) - load.window.first) / MINUTES_A_DAY))
    if starts >= days:
        return f"about {counted(round(starts / days), 'start')} a day"
    return f"{counted(starts, 'start')} in {counted(days, 'day')}"


def _names(names: Sequence[str]) -> str:
    return printable(first_names(names, _NAMED))


def unplaced_text(load: Load) -> str:
    """Write which starts are in none of the minutes, and why; empty if all of them are."""
    names = sorted(name for each in load.unplaced.values() for name in each.names)
    if not names:
        return ""
    return f"{unplaced_rate(load)} in minutes that only the last runs tell (`--against`): {_names(names)}"


def unplaced_rate(load: Load) -> str:
    """Write how often schedules start in minutes that nobody knows, by the rounding of all starts."""
    return _rate(load, sum(each.in_all for each in load.unplaced.values()))


def queue_lines(load: Load) -> Iterator[str]:
    """Yield the load of each queue, where there is more than one, the fullest first."""
    if len(load.queues) < 2:
        return
    order = sorted(load.queues, key=lambda queue: (-load.in_all(queue), queue))
    for queue in order[:_QUEUES]:
        unplaced = [load.unplaced[queue]] if queue in load.unplaced else []
        starts = _starts(load, load.besides_steady_of(queue), unplaced, load.steady_of(queue))
        yield f"queue {printable(queue)}: {starts}"
    if len(order) > _QUEUES:
        yield f"and {counted(len(order) - _QUEUES, 'more queue')}"


def crowd_text(crowd: Crowd, zone: tzinfo = timezone.utc, now: datetime | None = None) -> str:
    """Write how many schedules start together, when as the clocks of a zone show it, and which."""
    together = "start together" if len(crowd.names) >= crowd.starts else "starts"
    return f"{crowd.starts:,} {together} {_when(crowd, zone, now)}: {_names(crowd.names)}"


def _when(crowd: Crowd, zone: tzinfo, now: datetime | None) -> str:
    return minutes_words(crowd.minutes, zone, now, every_week=crowd.every_week)


def minutes_words(
    minutes: Sequence[datetime], zone: tzinfo = timezone.utc, now: datetime | None = None, *, every_week: bool = True
) -> str:
    """Write when minutes of one week are: by their pattern, such as ``daily 02:00``, or the first of them.

    ``every_week`` is false if other weeks have other minutes.
    """
    name = "UTC" if zone is timezone.utc else str(zone)
    if len(minutes) > 1 and (pattern := _pattern([each.astimezone(zone) for each in minutes])):
        return f"{pattern} {name}{'' if every_week else ' in this week'}"
    listed = [moment(each, zone, now) for each in minutes[:2]]
    if len(minutes) <= 2:
        return f"{' and '.join(listed)} {name}"
    return f"{', '.join(listed)} {name} and {counted(len(minutes) - 2, 'more minute')}"


def _pattern(minutes: Sequence[datetime]) -> str:
    """Return the words for the same times on each of some weekdays; empty where the days differ."""
    days: dict[int, set[int]] = {}
    for each in minutes:
        days.setdefault(each.isoweekday() % 7, set()).add(60 * each.hour + each.minute)
    times = next(iter(days.values()))
    if len(days) < 2 or any(other != times for other in days.values()):
        return ""
    hours = frozenset(minute // 60 for minute in times)
    return fields_words(Fields(tuple(sorted(times)), hours, _EVERY_DAY, _EVERY_MONTH, frozenset(days)))
