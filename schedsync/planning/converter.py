"""The values of plans, snapshots and the ledger as JSON values, and read back: the only place that knows their shape.

A function ``x_document`` returns JSON values in the shape of schemas/plan.v1.schema.json and snapshot.v1.schema.json;
``x_from`` reads them back and raises ValueError, KeyError or TypeError where they have another shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from schedsync.core.application import KINDS as PARAMETER_KINDS
from schedsync.core.application import Application, Task, TaskParameter
from schedsync.core.change import KINDS, Change, Consequence, Edit, FieldChange, Held, Rename
from schedsync.core.crontab import FIELDS
from schedsync.core.finding import Finding
from schedsync.core.full_pause import FullyPaused
from schedsync.core.location import Location
from schedsync.core.observed import Managed, Paused, Problem, Row
from schedsync.core.origin import Binding
from schedsync.core.refusal import Refusal
from schedsync.core.removing import removing_document, removing_from
from schedsync.core.schedule import People, Spec, form, spec_from, spec_text
from schedsync.core.timing import Crontab, Interval, Solar, Timing, crontab, instant, instant_text, interval, solar


def instant_document(value: datetime | None) -> str | None:
    """Return an instant as ISO 8601 text in UTC, or None."""
    return None if value is None else instant_text(value)


def _instant_from(value: str | None) -> datetime | None:
    return None if value is None else instant(value)


def location_document(location: Location | None) -> dict[str, Any] | None:
    """Return a place in a file as JSON values, or None."""
    return location and {"path": location.path, "line": location.line, "column": location.column}


def location_from(values: Mapping[str, Any] | None) -> Location | None:
    """Read a place in a file back, or None."""
    return None if values is None else Location(values["path"], values["line"], values["column"])


def people_document(people: People) -> dict[str, Any]:
    """Return the fields for people as JSON values."""
    return {
        "owner": people.owner,
        "runbook": people.runbook,
        "labels": dict(people.labels),
        "disabled_reason": people.disabled_reason,
    }


def people_from(values: Mapping[str, Any]) -> People:
    """Read the fields for people back; a key that is not there has its default."""
    labels = tuple(sorted(values.get("labels", {}).items()))
    return People(values.get("owner"), values.get("runbook"), labels, values.get("disabled_reason"))


def binding_document(binding: Binding) -> dict[str, Any]:
    """Return where a set comes from as JSON values."""
    return {
        "environment": binding.environment,
        "commit": binding.commit,
        "repository": binding.repository,
        "path": binding.path,
    } | ({"dirty": True} if binding.dirty else {})


def binding_from(values: Mapping[str, Any]) -> Binding:
    """Read where a set comes from back; other keys are passed over."""
    dirty = values.get("dirty", False)
    return Binding(values["environment"], values["repository"], values["path"], values["commit"], dirty)


def refusal_document(refusal: Refusal) -> dict[str, str]:
    """Return a refusal as JSON values."""
    return {"code": refusal.code, "message": refusal.message, "override": refusal.override}


def finding_document(finding: Finding) -> dict[str, Any]:
    """Return a finding as JSON values."""
    lists = {"names": finding.names, "environments": finding.environments}
    return {
        "code": finding.code,
        "severity": finding.severity,
        "message": finding.message,
        "hint": finding.hint,
        "location": location_document(finding.location),
    } | {key: list(values) for key, values in lists.items() if values}


def pause_document(pause: Paused) -> dict[str, Any]:
    """Return a pause as JSON values, without whether the schedule was held before."""
    return {
        "name": pause.name,
        "reason": pause.reason,
        "who": pause.who,
        "since": instant_text(pause.since),
        "until": instant_document(pause.until),
    }


def full_pause_document(pause: FullyPaused) -> dict[str, Any]:
    """Return the pause of everything as JSON values."""
    return {
        "reason": pause.reason,
        "who": pause.who,
        "since": instant_document(pause.since),
        "until": instant_document(pause.until),
    }


def snapshot_pause_document(pause: Paused) -> dict[str, Any]:
    """Return a pause as JSON values, all of it."""
    return pause_document(pause) | {"held": pause.was_held}


def pause_from(values: Mapping[str, Any]) -> Paused:
    """Read a pause of a snapshot back."""
    since, until = instant(values["since"]), _instant_from(values["until"])
    return Paused(values["name"], values["reason"], values["who"], since, until, values["held"])


def _edit_document(edit: Edit | None) -> dict[str, Any] | None:
    return None if edit is None else {"user": edit.user, "time": instant_text(edit.time)}


def held_document(held: Held) -> dict[str, Any]:
    """Return a held schedule as JSON values."""
    return {
        "name": held.name,
        "since": instant_document(held.since),
        "by": _edit_document(held.by),
        "location": location_document(held.location),
    }


def _consequence_document(consequence: Consequence) -> dict[str, Any]:
    at = {} if consequence.at is None else {"at": instant_text(consequence.at)}
    return {"code": consequence.code, "message": consequence.message} | at


def change_document(change: Change) -> dict[str, Any]:
    """Return one change as JSON values; ``apply`` holds what an apply does beside the fields."""
    result: dict[str, Any] = {
        "kind": change.kind,
        "name": change.name,
        "cause": change.cause,
        "fields": [
            {"field": field.field, "before": field.before, "after": field.after, "cause": field.cause}
            for field in change.fields
        ],
        "consequences": [_consequence_document(consequence) for consequence in change.consequences],
        "location": location_document(change.location),
        "people": people_document(change.people),
        "apply": {
            "row": change.row.id if change.row else None,
            "edit_may_fire": change.edit_may_fire,
            "rearm": change.rearm,
            "announced": change.announced,
            "ledger_enabled": change.ledger.enabled if change.ledger else None,
        },
    }
    if isinstance(change, Rename):
        result["old_name"] = change.old_name
    if change.by:
        result["by"] = _edit_document(change.by)
    if change.removing:
        result["removing"] = removing_document(change.removing)
    return result


def change_from(values: Mapping[str, Any]) -> Change:
    """Read the kind, the names and the fields of a change back: enough to compare it, not enough to write it."""
    extra = {"old_name": values["old_name"]} if values["kind"] == "rename" else {}
    fields = tuple(FieldChange(edit["field"], edit["before"], edit["after"]) for edit in values["fields"])
    removing = removing_from(values["removing"]) if values.get("removing") else None
    return KINDS[values["kind"]](name=values["name"], fields=fields, removing=removing, **extra)


def row_document(row: Row, mask: Callable[[Spec], Spec]) -> dict[str, Any]:
    """Return a row as JSON values; ``mask`` hides the secrets of its spec."""
    return {
        "id": row.id,
        "name": row.name,
        "fields": row.spec and form(mask(row.spec)),
        "last_run_at": instant_document(row.last_run_at),
        "total_run_count": row.total_run_count,
        "date_changed": instant_document(row.date_changed),
        "hour": row.hour,
        "problems": [{"code": problem.code, "message": problem.message} for problem in row.problems],
    }


def checked_spec(values: Mapping[str, Any]) -> Spec:
    """Read a spec back that somebody else may have written: its timing must be one that can run."""
    spec = spec_from(values)
    timing = _checked(spec.timing)
    return spec if timing == spec.timing else replace(spec, timing=timing)


# Many schedules have the same timing, but for those with an `H`.
@lru_cache(maxsize=65536)
def _checked(timing: Timing) -> Timing:
    if isinstance(timing, Crontab):
        return crontab({field.name: getattr(timing, field.name) for field in FIELDS}, timing.timezone)
    if isinstance(timing, Interval):
        return interval(timing.microseconds, 1)
    if isinstance(timing, Solar):
        return solar(timing.event, timing.latitude, timing.longitude)
    return timing


def row_from(values: Mapping[str, Any]) -> Row:
    """Read a row back."""
    fields = values["fields"]
    return Row(
        id=values["id"],
        name=values["name"],
        spec=None if fields is None else checked_spec(fields),
        last_run_at=_instant_from(values["last_run_at"]),
        total_run_count=values["total_run_count"],
        date_changed=_instant_from(values["date_changed"]),
        hour=values["hour"],
        problems=tuple(Problem(**problem) for problem in values["problems"]),
    )


def managed_document(managed: Managed, mask: Callable[[Spec], Spec]) -> dict[str, Any]:
    """Return a ledger entry as JSON values; ``mask`` hides the secrets of its spec."""
    return {
        "name": managed.name,
        "row": managed.row_id,
        "applied": managed.spec and form(mask(managed.spec)),
        "location": location_document(managed.location),
        "people": people_document(managed.people),
        "commit": managed.commit,
    } | ({"removing": removing_document(removing) | {"held": removing.held}} if (removing := managed.removing) else {})


def managed_from(values: Mapping[str, Any], set_name: str) -> Managed:
    """Read a ledger entry of a set back."""
    applied = values["applied"]
    return Managed(
        name=values["name"],
        set=set_name,
        row_id=values["row"],
        applied="" if applied is None else spec_text(checked_spec(applied)),
        location=location_from(values["location"]),
        people=people_from(values["people"]),
        commit=values["commit"],
        removing=removing_from(values["removing"]) if values.get("removing") else None,
    )


def application_document(application: Application) -> dict[str, Any]:
    """Return the application as JSON values, its tasks by name."""
    return {
        "tasks": {name: _task_document(task) for name, task in sorted(application.tasks.items())},
        "queues": list(application.queues),
        "versions": dict(application.versions),
    }


def application_from(values: Mapping[str, Any]) -> Application:
    """Read the application back."""
    tasks = {name: _task_from(task) for name, task in values["tasks"].items()}
    return Application(tasks, tuple(values["queues"]), values["versions"])


def _task_document(task: Task) -> dict[str, Any]:
    parameters = None
    if task.parameters is not None:
        parameters = [{"name": each.name, "kind": each.kind, "required": each.required} for each in task.parameters]
    return {"parameters": parameters, "time_limit": task.time_limit, "soft_time_limit": task.soft_time_limit}


def _task_from(values: Mapping[str, Any]) -> Task:
    parameters = values["parameters"]
    if parameters is not None:
        parameters = tuple(TaskParameter(**parameter) for parameter in parameters)
        if unknown := {parameter.kind for parameter in parameters} - set(PARAMETER_KINDS):
            raise ValueError(f"unknown kind of parameter `{unknown.pop()}`")
        if wrong := [parameter.name for parameter in parameters if not parameter.name.isidentifier()]:
            raise ValueError(f"no parameter can have the name `{wrong[0]}`")
    task = Task(parameters, values["time_limit"], values["soft_time_limit"])
    task.signature()
    return task
