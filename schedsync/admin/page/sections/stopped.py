"""What is stopped now: the pause of everything, pauses of schedules, and what a human holds; with forms."""

from __future__ import annotations

from typing import Any

from schedsync.admin.page.forms import PauseEverything
from schedsync.admin.page.permissions import PAUSE
from schedsync.admin.page.section import Section, Seen
from schedsync.admin.page.words import coded
from schedsync.core.names import and_more
from schedsync.core.status import FrozenSet, Status, Stopped
from schedsync.render.terminal.frozen import frozen_text
from schedsync.render.terminal.pauses import group_name, grouped, standing_text
from schedsync.render.words import printable, time_text

#: How many schedules are named; the list of schedules has all of them.
MOST = 20


def section(seen: Seen) -> Section:
    """Return what is stopped, and the form to stop everything."""
    value = seen.status
    management = value.management
    held = management.held
    context = {
        "full_pause": coded(printable(value.full_pause.text(value.at))) if value.full_pause else "",
        "standing": [coded(standing_text(pause, value.at)) for pause in management.standing[:MOST]],
        "rows": [*_paused(value), *([_held(each, value) for each in held.first[:MOST]] if held else [])],
        "more_paused": and_more(management.paused.count, MOST).strip(),
        "more_held": and_more(held.count, MOST).strip() if held else "",
        "frozen": [_frozen(each, value) for each in management.frozen[:MOST]],
        "rolled_back": [_kept(each, value) for each in management.rolled_back.first[:MOST]],
        "may_pause": seen.user.has_perm(PAUSE),
        "form": PauseEverything(auto_id="everything_%s"),
    }
    return Section("stopped", "Stopped now", "schedsync/page/stopped.html", context)


def _paused(value: Status) -> list[dict[str, Any]]:
    return [_group(group, value) for group in grouped(value.management.paused)[:MOST]]


def _group(group: list[Stopped], value: Status) -> dict[str, Any]:
    """Return one pause as a row, or the pauses of one person for one reason together, with a link to all of them."""
    pause = group[0]
    row = _row(pause, "paused", value, time_text(pause.until, value.at) if pause.until else "it is resumed")
    return row if len(group) == 1 else row | {"name": group_name(group), "address": "?state=paused#schedules"}


def _held(held: Stopped, value: Status) -> dict[str, Any]:
    return _row(held, "held", value, "it is resumed") | {"who": printable(held.who or "an unknown user")}


def _frozen(frozen: FrozenSet, value: Status) -> dict[str, str]:
    environment = f" -e {frozen.environment}" if frozen.environment else ""
    return {
        "text": coded(frozen_text(frozen, value.at)),
        "command": f"schedsync apply{environment} --allow-freeze",
        "commit": printable(frozen.commit),
    }


def _kept(kept: Stopped, value: Status) -> dict[str, Any]:
    return _row(kept, "rolled-back", value, "its files change")


def _row(stopped: Stopped, state: str, value: Status, until: str) -> dict[str, Any]:
    return {
        "name": stopped.name,
        "state": state,
        "who": printable(stopped.who or ""),
        "reason": printable(stopped.reason or ""),
        "since": time_text(stopped.since, value.at) if stopped.since else "",
        "until": until,
    }
