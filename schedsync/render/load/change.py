"""What a change does to the load, in a few lines: starts a day, the worst minute, and the queues that change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from schedsync.calendar.load import ALL_QUEUES, DEFAULT_QUEUE, Load
from schedsync.calendar.words import moment
from schedsync.render.words import counted

#: At most this many queues are shown, those that change most first.
_QUEUES_SHOWN = 5
_DAYS = 7
#: Fewer starts a day are counted by the week, because their average would be too rough.
_MANY = 10


def load_lines(before: Load, after: Load, name: Callable[[str], str]) -> Iterator[str]:
    """Yield what changes, nothing if nothing does; ``name`` writes the name of a queue."""
    queues = sorted({*before.queues, *after.queues})
    if ALL_QUEUES in queues:
        # One side or both have too many to be told apart.
        queues = []
    worst = _worst(before, after, name)
    moved = [
        (queue, was, will) for queue in queues if (was := _of_queue(before, queue)) != (will := _of_queue(after, queue))
    ]
    moved.sort(key=lambda each: -abs(each[2] - each[1]))
    in_all = (before.in_all(), after.in_all())
    by_day = _fits_a_day([in_all, *((was, will) for _, was, will in moved[:_QUEUES_SHOWN])])
    starts, steady = _starts(*in_all, by_day=by_day), _steady(before, after)
    if starts or worst or steady or moved:
        yield ", ".join(filter(None, [starts, worst, steady])) or "as many starts as before, in other queues"
    if len(queues) > 1:
        for queue, was, will in moved[:_QUEUES_SHOWN]:
            yield f"- {_queue(queue, name)}: {_starts(was, will, by_day=by_day)}"
        if (rest := len(moved) - _QUEUES_SHOWN) > 0:
            yield f"- and {counted(rest, 'more queue')}"


def _of_queue(load: Load, queue: str) -> int:
    return load.in_all(queue) if queue in load.queues else 0


def _queue(queue: str, name: Callable[[str], str]) -> str:
    return "without a queue" if queue == DEFAULT_QUEUE else f"queue {name(queue)}"


def _fits_a_day(numbers: Iterable[tuple[int, int]]) -> bool:
    """Say whether a day's average shows each difference: all lines have one unit, so that they can be compared."""
    a_day = [(round(was / _DAYS), round(will / _DAYS)) for was, will in numbers if was != will]
    return all(was != will and max(was, will) >= _MANY for was, will in a_day)


def _starts(was: int, will: int, *, by_day: bool) -> str:
    """Write how often schedules start, by the day or by the week."""
    if was == will:
        return ""
    if by_day:
        about = "" if was % _DAYS == will % _DAYS == 0 else "about "
        return f"{about}{round(was / _DAYS):,} → {round(will / _DAYS):,} starts a day"
    return f"{was:,} → {will:,} starts a week"


def _worst(before: Load, after: Load, name: Callable[[str], str]) -> str:
    """Write the worst minute before and after, and when the worse of both is; nothing if that is as bad as before.

    It leaves out what starts in every minute, as the maps do. The next run of an interval that never ran is not known,
    so it counts in no minute.
    """
    was, will = (max(load.besides_steady, default=0) for load in (before, after))
    if was == will:
        return ""
    load = before if was > will else after
    index = max(range(len(load.total)), key=load.besides_steady.__getitem__)
    queue = max(load.queues, key=lambda each: load.besides_steady_of(each)[index])
    at = moment(load.minute(index), now=load.window.since)
    day, clock = at.split(" ")[0], at.split(" ")[-1]
    where = f"{day} {clock} UTC" + ("" if queue == ALL_QUEUES else f", {_queue(queue, name)}")
    unknown = " without intervals, whose minutes are not known" if before.unplaced or after.unplaced else ""
    return f"most starts in one minute {was:,} → {will:,} ({where}){unknown}"


def _steady(before: Load, after: Load) -> str:
    """Write what starts in every minute before and after; nothing if that is as much as before."""
    was, will = before.steady.a_minute, after.steady.a_minute
    return "" if was == will else f"{was:,} → {will:,} a minute, steadily"
