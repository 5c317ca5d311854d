"""The list of all schedules, to be searched; a search has an address of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from schedsync.admin.page.section import Section, Seen
from schedsync.admin.page.words import coded
from schedsync.core.listing import STATES, ListedSchedule, Listing
from schedsync.database.listed_names import LONGEST_SEARCH, NameSearch
from schedsync.render.terminal.listing import cells, common_zone
from schedsync.usecases.listed_page import ListedPage, Search, list_page

_CELLS = ("state", "shown", "timing", "next", "last", "owner")
_PARAMETERS = ("q", "state", "set", "queue")


def section(seen: Seen) -> Section:
    """Return the page of the list that the query asks for; a value that means nothing is left out."""
    wanted = {name: seen.query.get(name, "").strip()[:LONGEST_SEARCH] for name in _PARAMETERS}
    if wanted["state"] not in STATES:
        wanted["state"] = ""
    search = Search(NameSearch(wanted["q"], wanted["set"], wanted["queue"]), wanted["state"])
    found = list_page(seen.using, search, _number(seen.query.get("p", "")))
    context = {
        # The next run may be words with a command.
        "rows": [{**row, "next": coded(row["next"])} for row in rows_of(found.listing)],
        "zone": str(common_zone(found.listing.schedules)),
        "wanted": wanted,
        "is_search": any(wanted.values()),
        "states": STATES,
        "sets": found.sets,
        "page": found,
        "before": _address(wanted, found.number - 1, found),
        "after": _address(wanted, found.number + 1, found),
    }
    return Section("schedules", "All schedules", "schedsync/page/schedules.html", context)


def rows_of(listing: Listing) -> list[dict[str, str]]:
    """Return the cells of each schedule by their names."""
    zone = common_zone(listing.schedules)
    until = listing.full_pause.until if listing.full_pause else None
    return [_row(schedule, cells(schedule, listing.at, zone, until)) for schedule in listing.schedules]


def _row(schedule: ListedSchedule, texts: list[str]) -> dict[str, Any]:
    queue = schedule.spec.queue if schedule.spec is not None else None
    named = dict(zip(_CELLS, texts, strict=True))
    return {**named, "name": schedule.name, "set": schedule.set or "", "queue": queue or ""}


def _number(text: str) -> int:
    return max(int(text), 1) if text.isascii() and text.isdigit() and len(text) < 8 else 1


def _address(wanted: Mapping[str, str], number: int, page: ListedPage) -> str | None:
    """Return the query of another page of the same search; None where there is no such page."""
    if not 1 <= number <= page.pages:
        return None
    return "?" + urlencode({**{name: value for name, value in wanted.items() if value}, "p": number}) + "#schedules"
