"""What ``accept`` takes into the files, as JSON."""

from __future__ import annotations

from typing import Any

from schedsync.core.acceptance import Acceptance, Accepted
from schedsync.planning.converter import instant_document
from schedsync.render.programs.json_ import dump


def acceptance_json(value: Accepted, diff: str, *, written: bool, branch: str | None, commit: str | None) -> str:
    """Write all of it; ``diff`` is the unified difference of the files, with secrets masked."""
    document: dict[str, Any] = {
        "version": 1,
        "set": value.set,
        "environment": value.environment,
        "accepted": [_taken(each) for each in value.taken],
        "not_accepted": [{"name": each.name, "reason": each.reason, "lines": each.lines} for each in value.left],
        "secrets": {name: list(paths) for name, paths in (value.secrets or {}).items()},
        "files": [file.path for file in value.files],
        "diff": diff,
        "written": written,
        "branch": branch,
        "commit": commit,
    }
    return dump(document)


def _taken(acceptance: Acceptance) -> dict[str, Any]:
    by = acceptance.by
    return {
        "name": acceptance.name,
        "kind": acceptance.kind,
        "new_name": acceptance.new_name,
        "fields": list(acceptance.fields),
        "waiting": list(acceptance.waiting),
        "by": {"user": by.user, "time": instant_document(by.time)} if by is not None else None,
    }
