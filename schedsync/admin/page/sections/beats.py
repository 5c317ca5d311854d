"""Which Beat leads, which stand by, and how their clocks and the broker are."""

from __future__ import annotations

from typing import Any

from schedsync.admin.page.section import Section, Seen
from schedsync.core.status import BeatStatus, Status
from schedsync.core.verdict import CLOCK_LIMIT, nobody_leads
from schedsync.render.terminal.status import broker_text, last_tick_words, loaded_words
from schedsync.render.words import printable, time_text


def section(seen: Seen) -> Section:
    """Return the live Beats, or the last one that was live."""
    value = seen.status
    context = {
        "beats": [_cells(beat, value) for beat in value.beats],
        "nobody_leads": nobody_leads(value),
        "last": None if value.beats else _last(value),
    }
    return Section("beats", "Beats", "schedsync/page/beats.html", context)


def _cells(beat: BeatStatus, value: Status) -> dict[str, Any]:
    report = beat.report
    return {
        "name": printable(beat.name),
        "leads": beat.leads,
        "since": time_text(beat.leads_since, value.at) if beat.leads and beat.leads_since else "",
        "tick": ", ".join(last_tick_words(beat, value)),
        "loaded": ", ".join(loaded_words(beat, value)),
        "clock": _clock(beat),
        "wrong_clock": report is not None and abs(report.clock_ahead or 0.0) > CLOCK_LIMIT,
        "broker": broker_text(beat, value.at) if beat.leads and report is not None else "",
        "trouble": printable(beat.trouble),
    }


def _clock(beat: BeatStatus) -> str:
    """Write how a Beat's clock differs from the database's."""
    ahead = beat.report.clock_ahead if beat.report is not None else None
    if ahead is None:
        return "not known"
    return "agrees" if abs(ahead) <= CLOCK_LIMIT else f"{abs(ahead):.1f} s {'ahead' if ahead > 0 else 'behind'}"


def _last(value: Status) -> str | None:
    """Write which Beat was live last and how it ended; empty where that is not known, None where there was none."""
    last = value.last_beat
    if last is None:
        return None
    ended = "did not end in good order" if last.ended_at is None else f"ended {time_text(last.ended_at, value.at)}"
    return f"{printable(last.name)} {ended}" if last.name else ""
