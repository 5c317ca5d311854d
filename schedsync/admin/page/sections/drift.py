"""What somebody changed behind Git's back, as far as the tables tell without the files, and the commands that help."""

from __future__ import annotations

from schedsync.admin.page.section import Section, Seen
from schedsync.core.names import and_more
from schedsync.core.selector import Selector, selector_text
from schedsync.core.status import Stopped
from schedsync.render.words import printable, time_text

#: How many schedules are named.
MOST = 20


def section(seen: Seen) -> Section:
    """Return the schedules whose rows differ from what was applied last; those that are being removed are with them."""
    management = seen.status.management
    drifted = management.drifted
    names = drifted.first[:MOST] if drifted is not None else ()
    opened = management.opened
    context = {
        "opened": [_opened(each, seen) for each in opened.first[:MOST]],
        "more_opened": and_more(opened.count, MOST).strip(),
        "not_compared": drifted is None,
        "rows": [{"name": name, "command": f"schedsync accept {_quoted(name)}"} for name in names],
        "more": and_more(drifted.count, MOST).strip() if drifted is not None else "",
    }
    return Section("drift", "Drift", "schedsync/page/drift.html", context)


def _opened(opened: Stopped, seen: Seen) -> dict[str, str]:
    return {
        "name": opened.name,
        "who": printable(opened.who or ""),
        "reason": printable(opened.reason or ""),
        "since": time_text(opened.since, seen.status.at) if opened.since else "",
    }


def _quoted(name: str) -> str:
    """Return a name as a word of a command line."""
    return selector_text(Selector(frozenset({name})))
