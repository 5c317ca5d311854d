"""Everything as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from schedsync.core.change import Paused
from schedsync.core.finding import Finding, has_errors
from schedsync.core.outcome import Outcome
from schedsync.core.plan import Plan, change_document, document, finding_document
from schedsync.core.safety import Refusal


def dump(value: Any) -> str:
    """Write JSON as people and programs read it."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def findings(found: Sequence[Finding], files: int, schedules: int) -> str:
    """Write the findings of a validation."""
    return dump(
        {
            "version": 1,
            "files": files,
            "schedules": schedules,
            "findings": [finding_document(finding) for finding in found],
            "failure_reason": "invalid" if has_errors(found) else None,
        }
    )


def plan(value: Plan) -> str:
    """Write a plan by schemas/plan.v1.schema.json."""
    return dump(document(value))


def compact_plan(value: Plan) -> str:
    """Write a plan for a file that ``apply --plan`` reads."""
    return json.dumps(document(value), separators=(",", ":"))


def outcome(value: Outcome, set_name: str, environment: str | None) -> str:
    """Write what an apply did, and how verification ended."""
    return dump(
        {
            "version": 1,
            "set": set_name,
            "environment": environment,
            "checksum": value.checksum,
            "run": str(value.run) if value.run else None,
            "summary": value.summary(),
            "changes": [change_document(change) for change in value.changes],
            "verification": {
                "confirmed": not value.unconfirmed,
                "after_a_poll_of_beat": value.settled,
                "repaired": list(value.repaired),
                "unconfirmed": list(value.unconfirmed),
            },
            "failure_reason": "not_confirmed" if value.unconfirmed else None,
        }
    )


def failure(reason: str, message: str, hint: str | None, **more: Any) -> str:
    """Write a failure."""
    return dump({"version": 1, "failure_reason": reason, "message": message, "hint": hint, **more})


def refusal_documents(found: Sequence[Refusal]) -> list[dict[str, str]]:
    """Return refusals as JSON values."""
    return [{"code": one.code, "message": one.message, "override": one.override} for one in found]


def pause(value: Paused) -> str:
    """Write one pause."""
    return dump(
        {
            "version": 1,
            "name": value.name,
            "reason": value.reason,
            "who": value.who,
            "since": value.since.isoformat(),
            "until": value.until.isoformat() if value.until else None,
        }
    )
