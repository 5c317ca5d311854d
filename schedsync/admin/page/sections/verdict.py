"""The first line: whether all is well, and why not; it is the first line of ``schedsync status``."""

from __future__ import annotations

from schedsync.admin.page.section import Section, Seen
from schedsync.core.status import Verdict
from schedsync.core.verdict import reason_of
from schedsync.render.terminal.frozen import frozen_text
from schedsync.render.words import counted, time_text

#: Of more sets, the section of what is stopped says it.
_MOST = 3
_COLOURS = {Verdict.OK: "good", Verdict.NOT_OK: "bad", Verdict.UNKNOWN: "warn"}


def section(seen: Seen) -> Section:
    """Return the verdict, and how many schedules there are."""
    value = seen.status
    rows = value.management.unmanaged.count
    parts = [
        f"{counted(value.management.managed, 'schedule')} managed by Git",
        f"{counted(rows, 'row')} managed by nobody" if rows else "",
        f"{value.schedules.enabled:,} enabled",
    ]
    context = {
        "word": value.verdict.value,
        "colour": _COLOURS[value.verdict],
        "reason": reason_of(value),
        "at": time_text(value.at),
        "environment": value.environment,
        "frozen": [frozen_text(each, value.at) for each in value.management.frozen[:_MOST]],
        "counts": ", ".join(filter(None, parts)),
    }
    return Section("verdict", "State", "schedsync/page/verdict.html", context)
