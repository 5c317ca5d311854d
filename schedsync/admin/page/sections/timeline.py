"""What runs in the next 24 hours, by queue, as the tables say now: a picture, and the same as a list."""

from __future__ import annotations

from typing import Any

from django.utils.safestring import mark_safe

from schedsync.admin.page.section import Section, Seen
from schedsync.calendar.timeline import QueueLanes, Timeline
from schedsync.render.load import lanes as words
from schedsync.render.page import timeline as picture
from schedsync.usecases.timeline_now import timeline_now

_TITLE = "The next 24 hours"


def section(seen: Seen) -> Section:
    """Return the timeline of all schedules, of all sets and of none."""
    if seen.waits("timeline"):
        return Section.waiting("timeline", _TITLE, "Draw what runs in the next 24 hours")
    value = timeline_now(seen.using, seen.now)
    if value is None:
        return Section("timeline", _TITLE, "schedsync/page/timeline.html", {"too_many": True})
    context = {
        "title": words.title(value),
        # It is made here, and each text in it is escaped.
        "picture": mark_safe(picture.within_a_page(value)) if value.queues else "",
        "queues": [_queue(queue, value) for queue in value.queues],
        "notes": list(words.notes(value)),
    }
    return Section("timeline", _TITLE, "schedsync/page/timeline.html", context)


def _queue(queue: QueueLanes, value: Timeline) -> dict[str, Any]:
    lanes = [*queue.lanes, *([queue.rest] if queue.rest else [])]
    return {
        "name": words.queue_name(queue),
        "words": words.queue_words(queue, value),
        "lanes": [(words.lane_name(lane), words.lane_words(lane, value)) for lane in lanes],
    }
