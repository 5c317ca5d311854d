"""Documents for the tests of this room."""

from __future__ import annotations

from typing import Any


def snapshot_with(sources: dict[str, Any]) -> dict[str, Any]:
    """Return the document of a snapshot with these sources, and without anything else."""
    return {
        "version": 1,
        "set": "default",
        "created_at": "2026-11-23T10:00:00Z",
        "application": {"tasks": {}, "queues": [], "versions": {}},
        "rows": [],
        "ledger": [],
        "elsewhere": {},
        "pauses": [],
        "last": None,
        "dual_writers": [],
        "sources": sources,
    }
