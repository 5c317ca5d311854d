"""Schedules that do not run as they should: overdue, not sent, or broken."""

from __future__ import annotations

from typing import Any

from schedsync.admin.page.section import Section, Seen
from schedsync.admin.page.words import coded
from schedsync.core.names import and_more
from schedsync.core.status import Failed, Late, Status
from schedsync.render.terminal.status import span_text
from schedsync.render.words import printable, time_text

#: How many schedules of each kind are named.
MOST = 20


def section(seen: Seen) -> Section:
    """Return the schedules in trouble, the kinds that stop the most first."""
    value = seen.status
    schedules, failed = value.schedules, value.failed
    rows = [_row(each.name, "overdue", _late(each, value)) for each in schedules.overdue.first[:MOST]]
    rows += [_row(each.name, "not sent", _failed(each, value)) for each in failed.first[:MOST]]
    rows += [_row(each.name, "broken", printable(each.reason)) for each in schedules.broken.first[:MOST]]
    counts = {
        "overdue": schedules.overdue.count,
        "not sent": failed.count,
        "broken": schedules.broken.count,
    }
    more = [f"{word}:{and_more(count, MOST)}" for word, count in counts.items() if count > MOST]
    return Section("trouble", "Overdue and failing", "schedsync/page/trouble.html", {"rows": rows, "more": more})


def _row(name: str, state: str, text: str) -> dict[str, Any]:
    return {"name": name, "state": state, "text": coded(text)}


def _late(late: Late, value: Status) -> str:
    return f"due {time_text(late.tick, value.at)} ({span_text(value.at - late.tick)})"


def _failed(failed: Failed, value: Status) -> str:
    what = "given up" if failed.given_up else "refused, and tried again"
    return f"{what}, tick {time_text(failed.tick, value.at)}: {printable(failed.reason)}"
