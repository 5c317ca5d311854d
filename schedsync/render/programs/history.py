"""The history as JSON."""

from __future__ import annotations

from typing import Any

from schedsync.core.history import ADMIN, History, HistoryChange, HistoryEntry
from schedsync.core.origin import commit_from
from schedsync.core.secrets import masked
from schedsync.core.timing import instant_text
from schedsync.planning.converter import instant_document
from schedsync.render.programs.json_ import dump

#: The version of the document.
VERSION = 1


def history_json(value: History) -> str:
    """Write all of it, its secrets masked; instants are in UTC. ``changes`` is null where they were not asked for."""
    return dump(
        {
            "version": VERSION,
            "at": instant_text(value.at),
            "since": instant_document(value.wanted.since),
            "until": instant_document(value.wanted.until),
            "names": [{"name": life.name, "until": instant_document(life.until)} for life in value.lives],
            "entries": [_entry(entry) for entry in value.entries],
            "older_left_out": value.is_cut,
            "not_searched_before": instant_document(value.unread_before),
        }
    )


def _entry(entry: HistoryEntry) -> dict[str, Any]:
    commit, dirty = commit_from(entry.commit)
    return {
        "at": instant_text(entry.at),
        "verb": entry.verb,
        "source": "admin" if entry.verb == ADMIN else "record",
        "run": entry.run,
        "who": entry.who,
        "set": entry.set or None,
        "environment": entry.environment,
        "commit": commit,
        "dirty": dirty,
        "pull_request": masked(entry.pull_request),
        "pipeline": masked(entry.pipeline),
        "job": entry.job,
        "reason": masked(entry.reason),
        "counts": dict(entry.counts),
        "changes": None if entry.changes is None else [_change(change) for change in entry.changes],
        "problem": entry.problem or None,
    }


def _change(change: HistoryChange) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "name": change.name,
        "old_name": change.old_name,
        "fields": [
            {"field": each.field, "before": masked(each.before), "after": masked(each.after)} for each in change.fields
        ],
        "details": masked(dict(change.details)),
    }
