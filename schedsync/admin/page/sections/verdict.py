"""The first line: whether all is well, and why not; it is the first line of ``schedsync status``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from schedsync.admin.page.section import Section, Seen
from schedsync.admin.page.words import coded
from schedsync.core.names import shortened
from schedsync.core.status import Status, Verdict
from schedsync.core.verdict import reason_of
from schedsync.render.terminal.frozen import frozen_text
from schedsync.render.terminal.history import what_text
from schedsync.render.words import counted, printable, time_text

#: How many frozen sets are named here; the section of what is stopped names more of them.
_MOST = 3


class Glance(NamedTuple):
    """One of the answers that people look for first: its label, the text, and the section that says more."""

    label: str
    text: str
    section: str


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
        "glance": [*_leader(seen), *_stopped(value), *_last_change(seen)],
        "word": value.verdict.value,
        "colour": _COLOURS[value.verdict],
        "reason": coded(reason_of(value)),
        "at": time_text(value.at),
        "environment": value.environment,
        "frozen": [coded(frozen_text(each, value.at)) for each in value.management.frozen[:_MOST]],
        "counts": ", ".join(filter(None, parts)),
    }
    return Section("verdict", "State", "schedsync/page/verdict.html", context)


def _leader(seen: Seen) -> Iterator[Glance]:
    """Yield which Beat leads, where one does; if none does, the section of the Beats says more."""
    for beat in seen.status.beats:
        if beat.leads:
            since = f" since {time_text(beat.leads_since, seen.status.at)}" if beat.leads_since else ""
            yield Glance("Leads", f"{printable(beat.name)}{since}", "beats")


def _stopped(value: Status) -> Iterator[Glance]:
    management = value.management
    held = management.held.count if management.held else 0
    counts = {"paused": management.paused.count, "held": held, "rolled back": management.rolled_back.count}
    said = [*(["everything"] if value.full_pause else []), *(f"{n:,} {word}" for word, n in counts.items() if n)]
    yield Glance("Stopped", ", ".join(said) or "nothing", "stopped")


def _last_change(seen: Seen) -> Iterator[Glance]:
    for entry in seen.history.entries[:1]:
        when, who = time_text(entry.at, seen.now), printable(shortened(entry.who))
        yield Glance("Last change", f"{what_text(entry)} by {who}, {when}", "changes")
