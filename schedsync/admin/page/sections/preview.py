"""What an apply of the files that were applied last would change now, and the command that does it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schedsync.admin.page.section import Section, Seen
from schedsync.admin.page.sections.kept import chosen_files
from schedsync.core.change import Change, FieldChange
from schedsync.core.names import and_more
from schedsync.planning.plan import Plan
from schedsync.render.words import counted, moved_text
from schedsync.usecases.preview import preview

#: At most this many changes are listed, and this many fields of each.
MOST, MOST_FIELDS = 50, 12
_TITLE = "What an apply would change"
#: In characters. A longer value is cut.
_LONGEST = 120
_CAUSES = {"files": "the files", "drift": "somebody's edit", "both": "the files, and somebody's edit"}


def section(seen: Seen) -> Section | None:
    """Return the plan of the files that were applied last; None before an apply has kept any."""
    files, facts = chosen_files(seen)
    if files is None:
        return None
    if seen.waits("preview"):
        return Section.waiting("preview", _TITLE, "Compare the files with the tables now")
    plan = preview(seen.using, files, seen.now).plan
    context = {**facts, "is_kept": plan is not None, **({} if plan is None else _of(plan))}
    return Section("preview", _TITLE, "schedsync/page/preview.html", context)


def _of(plan: Plan) -> Mapping[str, Any]:
    counts = {
        name: number for name, number in plan.summary().items() if number and name not in ("unchanged", "drifted")
    }
    environment = f" -e {plan.binding.environment}" if plan.binding.environment else ""
    return {
        "counts": [f"{number:,} {name.replace('_', ' ')}" for name, number in counts.items()],
        "unchanged": counted(plan.unchanged, "schedule"),
        "changes": [_change(change) for change in plan.changes[:MOST]],
        "more": and_more(len(plan.changes), MOST).strip(),
        "held": [held.name for held in plan.held[:MOST]],
        "command": f"schedsync apply{environment}",
    }


def _change(change: Change) -> dict[str, Any]:
    place, fields = change.location, _telling(change)
    return {
        "name": change.name,
        "kind": change.kind,
        "place": f"{place.path}:{place.line}" if place else "",
        "fields": [_field(field, change) for field in fields[:MOST_FIELDS]],
        "rows": min(len(fields), MOST_FIELDS) + (len(fields) > MOST_FIELDS),
        "more": and_more(len(fields), MOST_FIELDS).strip(),
    }


def _telling(change: Change) -> list[FieldChange]:
    """Return the fields that tell something: of a schedule that comes or goes not those without a value."""
    if change.row is not None and change.after is not None:
        return list(change.fields)
    empty: tuple[object, ...] = (None, "", [], {}, False)
    return [field for field in change.fields if field.before not in empty or field.after not in empty]


def _field(field: FieldChange, change: Change) -> dict[str, str]:
    before, after = moved_text(field, _LONGEST)
    return {
        "name": field.field,
        "before": before if change.row is not None else "",
        "after": after if change.after is not None else "",
        "cause": _CAUSES.get(field.cause, "") if change.row is not None and change.after is not None else "",
    }
