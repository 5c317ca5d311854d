"""The lanes of a timeline in words: their names, when and how often they run, and what the timeline does not show."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from schedsync.calendar.load import DEFAULT_QUEUE
from schedsync.calendar.timeline import Lane, QueueLanes, Stretch, Timeline
from schedsync.calendar.words import moment
from schedsync.render.words import counted, printable

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
#: The times of at most this many runs are written.
_WRITTEN = 2


def title(value: Timeline) -> str:
    """Write which time a timeline is of."""
    length = value.end - value.start
    hours = round(length / timedelta(hours=1))
    long = f"{hours} hours" if hours <= 48 else f"{round(length / timedelta(days=1))} days"
    return f"{long} from {moment(value.start.replace(second=0), value.zone, value.start)}, {zone_name(value)}"


def zone_name(value: Timeline) -> str:
    """Return the name of the zone in which a timeline has its times."""
    return "UTC" if value.start.astimezone(value.zone).tzname() == "UTC" else str(value.zone)


def queue_name(queue: QueueLanes) -> str:
    """Write the name of a queue."""
    return "without a queue" if queue.queue == DEFAULT_QUEUE else f"queue {printable(queue.queue)}"


def queue_words(queue: QueueLanes, value: Timeline) -> str:
    """Write how much a queue gets, and its fullest minute."""
    said = [counted(queue.schedules, "schedule"), counted(queue.starts, "run")]
    if queue.worst is not None and queue.worst.starts > 1:
        said.append(f"at most {queue.worst.starts:,} a minute ({clock(queue.worst.first, value)})")
    return ", ".join(said)


def lane_name(lane: Lane) -> str:
    """Write which schedules a lane is of."""
    if not lane.name:
        return f"{lane.schedules:,} more"
    return printable(lane.name) + (f" ×{lane.schedules:,}" if lane.schedules > 1 else "")


def lane_words(lane: Lane, value: Timeline) -> str:
    """Write when a lane runs, or how often, and how long a run takes where that is known."""
    said = [_when(lane, value)]
    if lane.seconds is not None:
        said.append(f"{seconds_text(lane.seconds)} each")
    if lane.running_since is not None:
        said.append(f"runs since {clock(lane.running_since, value)}")
    return ", ".join(said)


def _when(lane: Lane, value: Timeline) -> str:
    stretches = lane.stretches
    if lane.unplaced:
        return rate_text(lane.starts, value.end - value.start)
    if lane.starts == len(stretches) <= _WRITTEN:
        return ", ".join(clock(each.first, value) for each in stretches)
    if len(stretches) == 1 and stretches[0].first < stretches[0].last:
        return stretch_words(stretches[0], value)
    return counted(lane.starts, "run")


def stretch_words(stretch: Stretch, value: Timeline) -> str:
    """Write when runs are: a time, or from when until when and at which rate."""
    if stretch.first == stretch.last:
        together = f", {stretch.starts:,} together" if stretch.starts > 1 else ""
        return clock(stretch.first, value) + together
    rate = rate_text(stretch.starts, stretch.last - stretch.first + timedelta(minutes=1))
    near = (value.end - value.start) / 48
    if stretch.first - value.start <= near and value.end - stretch.last <= near:
        return rate
    return f"{clock(stretch.first, value)}-{clock(stretch.last, value)} {rate}"


def rate_text(starts: int, time: timedelta) -> str:
    """Write how often something starts in a time, by the second, the minute, the hour or the day."""
    a_second = starts / max(1.0, time.total_seconds())
    for seconds, unit in ((1, "a second"), (_MINUTE, "a minute"), (_HOUR, "an hour")):
        # A rate just below one, such as 59 of the 60 minutes, is rounded.
        if a_second * seconds >= 0.95:
            return f"{round(a_second * seconds):,} {unit}"
    return f"{max(1, round(a_second * _DAY)):,} a day"


def clock(instant: datetime, value: Timeline) -> str:
    """Write a minute as the timeline's clocks show it; with its day where the timeline is longer than a day."""
    minute = instant.replace(second=0, microsecond=0)
    text = moment(minute, value.zone, value.start)
    is_long = value.end - value.start > timedelta(hours=24, minutes=1) or minute < value.start - timedelta(hours=12)
    return text if is_long else text.rpartition(" ")[2]


def seconds_text(seconds: float) -> str:
    """Write how long something takes, in its two largest units at most."""
    whole = round(seconds)
    if whole < 1:
        return "under 1s"
    days, rest = divmod(whole, _DAY)
    hours, rest = divmod(rest, _HOUR)
    parts = [(days, "d"), (hours, "h"), (rest // _MINUTE, "m"), (rest % _MINUTE, "s")]
    return " ".join([f"{number}{unit}" for number, unit in parts if number][:2])


def notes(value: Timeline) -> Iterator[str]:
    """Yield what the lanes do not show."""
    if value.more_queues:
        yield f"{counted(value.more_queues, 'more queue')} not shown; name some schedules to see theirs"
    if value.idle:
        yield f"{counted(value.idle, 'schedule')} {'does' if value.idle == 1 else 'do'} not run in this time"
    if any(lane.unplaced for lane in value.lanes):
        yield "of intervals only the last run tells the minutes: give a snapshot, which has it (`--against`)"
    if not value.asked_durations:
        yield "how long runs take is not in the files: each is drawn as a point"
    elif all(lane.seconds is None for lane in value.lanes):
        yield "how long runs take is not known: each is drawn as a point"
