"""The sets of this database: which commit was applied last, when and by whom, and what files were in it."""

from __future__ import annotations

from typing import Any

from schedsync.admin.page.section import Section, Seen
from schedsync.core.status import LastApply
from schedsync.database.managed_sets import ManagedSet, managed_sets
from schedsync.git.web import web_of_url
from schedsync.render.comment.links import commit_address
from schedsync.render.terminal.status import counts_words, span_text
from schedsync.render.words import counted, printable, time_text


def section(seen: Seen) -> Section:
    """Return the sets with their last apply, the newest first, and those that were never applied by a record."""
    sets = managed_sets(seen.using)
    applies = seen.status.management.applies
    rows = [_row(apply, sets.get(apply.set), seen) for apply in applies]
    applied = {apply.set for apply in applies}
    rows += [_unknown(name, each) for name, each in sorted(sets.items()) if name not in applied]
    return Section("sets", "Sets", "schedsync/page/sets.html", {"rows": rows})


def _row(apply: LastApply, found: ManagedSet | None, seen: Seen) -> dict[str, Any]:
    now = seen.status.at
    return {
        "set": apply.set,
        "environment": printable(apply.environment or ""),
        "commit": printable(apply.commit or ""),
        "address": commit_address(found.commit, web_of_url(found.repository)) if found else None,
        "when": time_text(apply.at, now),
        "ago": f"{span_text(now - apply.at)} ago",
        "who": printable(apply.who),
        "counts": counts_words(apply) or "nothing",
        **_counts(found),
    }


def _unknown(name: str, found: ManagedSet) -> dict[str, Any]:
    return {"set": name, "commit": "", "who": "", "counts": "", "when": "not known", **_counts(found)}


def _counts(found: ManagedSet | None) -> dict[str, Any]:
    if found is None:
        return {"schedules": "0 schedules", "files": "", "failure": ""}
    return {
        "schedules": counted(found.schedules, "schedule"),
        "files": f"in {counted(found.files, 'file')}" if found.files else "",
        "failure": found.failure,
    }
