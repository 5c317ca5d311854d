"""A snapshot: what a trusted run of the application knows, for plans and reviews that have no credentials.

Secrets are masked before it is written; what is compared with it is masked alike, so that they never differ.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from schedsync.core.application import KINDS, Application, Task, TaskParameter
from schedsync.core.location import Location
from schedsync.core.observed import Managed, Observed, Paused, Problem, Row
from schedsync.core.origin import Binding
from schedsync.core.schedule import Desired, Spec, canonical_json, form, spec_from, spec_text
from schedsync.core.secrets import masked
from schedsync.core.timing import instant, instant_text
from schedsync.errors import WrongUsage
from schedsync.planning.documents import location_document, pause_document, people_document, people_from

#: The version of the document; see schemas/snapshot.v1.schema.json.
VERSION = 1

T = TypeVar("T")


@dataclass(frozen=True)
class Snapshot:
    """The application, the observed state of one set, and what the safety rules look at beside it."""

    set: str
    created_at: datetime
    application: Application = field(default_factory=Application)
    observed: Observed = field(default_factory=Observed)
    last: Binding | None = None
    dual_writers: frozenset[str] = frozenset()

    def document(self) -> dict[str, Any]:
        """Return the snapshot as JSON values by schemas/snapshot.v1.schema.json, its secrets masked."""
        return {
            "version": VERSION,
            "set": self.set,
            "created_at": instant_text(self.created_at),
            "application": _application_document(self.application),
            "rows": [_row_document(row) for row in self.observed.rows.values()],
            "ledger": [_managed_document(managed) for managed in self.observed.ledger.values()],
            "elsewhere": dict(self.observed.elsewhere),
            "pauses": [pause_document(pause) | {"held": pause.held} for pause in self.observed.pauses.values()],
            "last": self.last and {
                "environment": self.last.environment,
                "repository": self.last.repository,
                "path": self.last.path,
                "commit": self.last.commit,
            },
            "dual_writers": sorted(self.dual_writers),
        }  # fmt: skip


def masked_spec(spec: Spec) -> Spec:
    """Return a spec whose secrets are masked."""
    args, kwargs, headers = map(_masked_text, (spec.args, spec.kwargs, spec.headers))
    if (args, kwargs, headers) == (spec.args, spec.kwargs, spec.headers):
        return spec
    return replace(spec, args=args, kwargs=kwargs, headers=headers)


def _masked_text(text: str) -> str:
    return text if len(text) <= len("[]") else canonical_json(masked(json.loads(text)))


def masked_desired(desired: Desired) -> Desired:
    """Return a desired state that can be compared with a snapshot's observed one."""
    schedules = {name: replace(one, spec=masked_spec(one.spec)) for name, one in desired.schedules.items()}
    return Desired(schedules, desired.removed)


def snapshot_from(values: Mapping[str, Any]) -> Snapshot:
    """Read a snapshot from its document; raises ValueError, KeyError or TypeError where it does not fit together."""
    last = values["last"]
    return Snapshot(
        set=values["set"],
        created_at=instant(values["created_at"]),
        application=_application_from(values["application"]),
        observed=Observed(
            rows={one["name"]: _row_from(one) for one in values["rows"]},
            ledger={one["name"]: _managed_from(one, values["set"]) for one in values["ledger"]},
            elsewhere=values["elsewhere"],
            pauses={one["name"]: _pause_from(one) for one in values["pauses"]},
        ),
        last=last and Binding(last["environment"], last["repository"], last["path"], last["commit"]),
        dual_writers=frozenset(values["dual_writers"]),
    )


def _application_document(application: Application) -> dict[str, Any]:
    return {
        "tasks": {name: _task_document(task) for name, task in sorted(application.tasks.items())},
        "queues": list(application.queues),
        "versions": dict(application.versions),
    }


def _task_document(task: Task) -> dict[str, Any]:
    parameters = task.parameters
    return {
        "parameters": None
        if parameters is None
        else [{"name": one.name, "kind": one.kind, "required": one.required} for one in parameters],
        "time_limit": task.time_limit,
        "soft_time_limit": task.soft_time_limit,
    }


def _application_from(values: Mapping[str, Any]) -> Application:
    tasks = {name: _task_from(one) for name, one in values["tasks"].items()}
    return Application(tasks, tuple(values["queues"]), values["versions"])


def _task_from(values: Mapping[str, Any]) -> Task:
    parameters = values["parameters"]
    if parameters is None:
        return Task(None, values["time_limit"], values["soft_time_limit"])
    if unknown := {one["kind"] for one in parameters} - set(KINDS):
        raise ValueError(f"unknown kind of parameter `{unknown.pop()}`")
    found = tuple(TaskParameter(one["name"], one["kind"], one["required"]) for one in parameters)
    return Task(found, values["time_limit"], values["soft_time_limit"])


def _row_document(row: Row) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "fields": row.spec and form(masked_spec(row.spec)),
        "last_run_at": _optional(row.last_run_at, instant_text),
        "total_run_count": row.total_run_count,
        "date_changed": _optional(row.date_changed, instant_text),
        "hour": row.hour,
        "problems": [{"code": one.code, "message": one.message} for one in row.problems],
    }


def _optional(value: T | None, function: Callable[[T], Any]) -> Any:
    return None if value is None else function(value)


def _row_from(values: Mapping[str, Any]) -> Row:
    return Row(
        id=values["id"],
        name=values["name"],
        spec=_optional(values["fields"], spec_from),
        last_run_at=_optional(values["last_run_at"], instant),
        total_run_count=values["total_run_count"],
        date_changed=_optional(values["date_changed"], instant),
        hour=values["hour"],
        problems=tuple(Problem(one["code"], one["message"]) for one in values["problems"]),
    )


def _managed_document(managed: Managed) -> dict[str, Any]:
    return {
        "name": managed.name,
        "row": managed.row_id,
        "applied": form(masked_spec(managed.spec)),
        "location": location_document(managed.location),
        "people": people_document(managed.people),
        "commit": managed.commit,
    }


def _managed_from(values: Mapping[str, Any], set_name: str) -> Managed:
    place = values["location"]
    return Managed(
        name=values["name"],
        set=set_name,
        row_id=values["row"],
        applied=spec_text(spec_from(values["applied"])),
        location=place and Location(place["path"], place["line"], place["column"]),
        people=people_from(values["people"]),
        commit=values["commit"],
    )


def _pause_from(values: Mapping[str, Any]) -> Paused:
    return Paused(
        name=values["name"],
        reason=values["reason"],
        who=values["who"],
        since=instant(values["since"]),
        until=_optional(values["until"], instant),
        held=values["held"],
    )


def check_set(snapshot: Snapshot, set_name: str) -> None:
    """Raise WrongUsage where a snapshot is of another set than the files."""
    if snapshot.set != set_name:
        hint = "take it where this set is configured"
        raise WrongUsage(f"the snapshot is of set `{snapshot.set}`, not of `{set_name}`", hint=hint)
