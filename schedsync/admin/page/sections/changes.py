"""The last changes: what, when, by whom, and from which commit; it is ``schedsync history``."""

from __future__ import annotations

from typing import Any

from schedsync.admin.page.section import Section, Seen
from schedsync.core.history import HistoryEntry
from schedsync.core.names import shortened
from schedsync.core.origin import commit_from, recorded_text
from schedsync.core.secrets import masked
from schedsync.database.managed_sets import managed_sets
from schedsync.git.web import web_of_url
from schedsync.render.comment.links import commit_address
from schedsync.render.terminal.history import from_text, what_text
from schedsync.render.words import printable, time_text

#: Beginnings of an address that may be a link; a record can hold any text.
_WEB = ("https://", "http://")


def section(seen: Seen) -> Section:
    """Return the last changes, the newest first."""
    found = seen.history
    repositories = {name: each.repository for name, each in managed_sets(seen.using).items()}
    rows = [row_of(entry, repositories.get(entry.set), seen) for entry in found.entries]
    context = {"rows": rows, "is_cut": found.is_cut}
    return Section("changes", "Last changes", "schedsync/page/changes.html", context)


def row_of(entry: HistoryEntry, repository: str | None, seen: Seen) -> dict[str, Any]:
    """Return one change as the cells of a row; ``repository`` is that of its set."""
    commit, _ = commit_from(entry.commit)
    return {
        "when": time_text(entry.at, seen.now),
        "what": what_text(entry),
        "set": printable(entry.set),
        "who": printable(shortened(entry.who)),
        "commit": printable(recorded_text(entry.commit)),
        "address": commit_address(commit, web_of_url(repository)),
        "pull_request": from_text(entry) if entry.pull_request else "",
        "pull_address": address_in(entry.pull_request),
        "reason": printable(masked(entry.reason or "")),
    }


def address_in(text: str | None) -> str | None:
    """Return a recorded text that is an address of the web, without what looks like a secret; else None."""
    return str(masked(text)) if text is not None and text.startswith(_WEB) else None
