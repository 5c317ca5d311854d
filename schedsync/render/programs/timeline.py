"""A timeline as JSON values."""

from __future__ import annotations

from typing import Any

from schedsync.calendar.timeline import Lane, QueueLanes, Stretch, Timeline
from schedsync.core.timing import instant_text


def timeline_document(value: Timeline) -> dict[str, Any]:
    """Return a timeline by schemas/forecast.v1.schema.json."""
    return {
        "from": instant_text(value.start),
        "until": instant_text(value.end),
        "queues": [_queue(each) for each in value.queues],
        "more_queues": value.more_queues,
        "idle": value.idle,
    }


def _queue(queue: QueueLanes) -> dict[str, Any]:
    return {
        "queue": queue.queue,
        "schedules": queue.schedules,
        "starts": queue.starts,
        "worst": queue.worst and {"at": instant_text(queue.worst.first), "starts": queue.worst.starts},
        "lanes": [_lane(each) for each in queue.lanes],
        "rest": queue.rest and _lane(queue.rest),
    }


def _lane(lane: Lane) -> dict[str, Any]:
    return {
        "name": lane.name or None,
        "schedules": lane.schedules,
        "starts": lane.starts,
        "unplaced": lane.unplaced,
        "seconds": lane.seconds,
        "running_since": lane.running_since and instant_text(lane.running_since),
        "runs": [_stretch(each) for each in lane.stretches],
    }


def _stretch(stretch: Stretch) -> dict[str, Any]:
    first, last = instant_text(stretch.first), instant_text(stretch.last)
    return {"first": first, "last": last, "starts": stretch.starts}
