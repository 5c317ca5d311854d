"""Everything as JSON for programs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from schedsync.core.finding import Finding, has_errors
from schedsync.core.location import Location
from schedsync.core.rollback import RolledBack
from schedsync.core.secrets import masked
from schedsync.planning.accepting import accept_line
from schedsync.planning.converter import change_document, finding_document
from schedsync.planning.documents import document
from schedsync.planning.rolled_back import rolled_back_document
from schedsync.render.first_runs import first_runs_document
from schedsync.render.monitors import settled_document
from schedsync.render.words import RUNNER

if TYPE_CHECKING:
    from schedsync.core.first_run import FirstRuns
    from schedsync.errors import SchedsyncError

    # `schedsync status` writes JSON too, and would wait for the imports.
    from schedsync.lint.rule import Rule
    from schedsync.planning.outcome import Outcome
    from schedsync.planning.plan import Plan
    from schedsync.planning.snapshot import Snapshot
    from schedsync.review.result import Review

#: Characters that a terminal obeys, or does not show; within JSON they stand in strings only.
_UNSEEN = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def dump(value: Any) -> str:
    """Write JSON as people and programs read it."""
    return escaped(json.dumps(value, indent=2, ensure_ascii=False))


def escaped(text: str) -> str:
    """Return JSON in which nothing is a command to a terminal, or to a runner that reads the log; it means the same."""
    return RUNNER.sub("#\\\\u0023", _UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text))


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


def formatting(
    changed: Sequence[Location],
    found: Sequence[Finding],
    files: int,
    failures: Mapping[str, SchedsyncError],
    *,
    wrote: bool,
) -> str:
    """Write which files are not in canonical form, each with its first line that differs.

    ``failures`` say why files could not be written, by their paths; the reason is that of the highest exit code.
    """
    worst = max(failures.values(), key=lambda error: error.exit_code, default=None)
    return dump(
        {
            "version": 1,
            "files": files,
            "changed": [{"path": place.path, "line": place.line} for place in changed],
            "wrote": wrote,
            "not_written": [
                {"path": path, "message": error.message, "hint": error.hint} for path, error in failures.items()
            ],
            "findings": [finding_document(finding) for finding in found],
            "failure_reason": worst.failure_reason if worst else "invalid" if has_errors(found) else None,
        }
    )


def plan(value: Plan) -> str:
    """Write a plan by schemas/plan.v1.schema.json, its secrets masked."""
    return dump(_without_secrets(document(value)))


def review(value: Review) -> str:
    """Write a review by schemas/review.v1.schema.json, its secrets masked."""
    said = value.document()
    return dump(said | {"environments": [_without_secrets(one) for one in said["environments"]]})


def _without_secrets(values: dict[str, Any]) -> dict[str, Any]:
    changes = [
        one | {"fields": [_masked_field(field) for field in one["fields"]], "people": masked(one["people"])}
        for one in values["changes"]
    ]
    return values | {"changes": changes}


def _masked_field(values: dict[str, Any]) -> dict[str, Any]:
    return values | {"before": masked(values["before"]), "after": masked(values["after"])}


def snapshot(value: Snapshot) -> str:
    """Write a snapshot by schemas/snapshot.v1.schema.json."""
    return dump(value.document())


def drift(value: Plan) -> str:
    """Write drift as a plan, with the command that takes it into the files."""
    return dump(_without_secrets(document(value)) | {"accept": accept_line(value)})


def compact_plan(value: Plan) -> str:
    """Write a plan for a file that ``apply --plan`` reads, its secrets masked."""
    return escaped(json.dumps(_without_secrets(document(value)), separators=(",", ":")))


def outcome(
    value: Outcome,
    set_name: str,
    environment: str | None,
    rolled_back: Sequence[RolledBack] = (),
    first_runs: FirstRuns | None = None,
) -> str:
    """Write what an apply did, and how verification ended; ``rolled_back`` is what stays rolled back.

    ``first_runs`` are those of the changed schedules, where they were watched.
    """
    settled = value.monitors
    monitors = {} if settled is None or settled.is_silent else {"monitors": settled_document(settled)}
    kept = {"rolled_back": [rolled_back_document(mark) for mark in rolled_back]} if rolled_back else {}
    return dump(
        {
            "version": 1,
            "set": set_name,
            "environment": environment,
            "checksum": value.checksum,
            "run": str(value.run) if value.run else None,
            "who": value.who,
            "at": value.at.isoformat() if value.at else None,
            "summary": value.summary(),
            "changes": _without_secrets({"changes": [change_document(change) for change in value.changes]})["changes"],
            **kept,
            **monitors,
            **({} if first_runs is None else {"first_runs": first_runs_document(first_runs)}),
            "verification": {
                "confirmed": not value.unconfirmed,
                "after_a_poll_of_beat": value.settled > 0,
                "repaired": list(value.repaired),
                "unconfirmed": list(value.unconfirmed),
                "loaded": None if value.loaded is None else list(value.loaded),
                "behind": list(value.behind),
            },
            "failure_reason": _failure_reason(value, first_runs),
        }
    )


def _failure_reason(value: Outcome, first_runs: FirstRuns | None) -> str | None:
    if value.unconfirmed:
        return "not_confirmed"
    if not value.is_loaded:
        return "not_loaded"
    return "first_run_failed" if first_runs is not None and first_runs.bad else None


def failure(reason: str, message: str, hint: str | None, **more: Any) -> str:
    """Write a failure."""
    return dump({"version": 1, "failure_reason": reason, "message": message, "hint": hint, **more})


def rules(found: Sequence[Rule]) -> str:
    """Write rules."""
    return dump(
        {
            "version": 1,
            "rules": [
                {
                    "code": rule.code,
                    "name": rule.name,
                    "summary": rule.summary,
                    "severity": rule.severity,
                    "package": rule.package,
                    "opt_in": rule.opt_in,
                    "needs_application": rule.needs_application,
                    "why": rule.why,
                    "remedy": rule.remedy,
                }
                for rule in found
            ],
        }
    )
