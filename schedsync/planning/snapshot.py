"""A snapshot: what a trusted run of the application knows, for plans and reviews that have no credentials.

Its secrets are masked before it is written. The files are masked alike before they are compared with it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from schedsync.core.application import Application
from schedsync.core.controls import NO_CONTROLS, Controls, controls_document, controls_from
from schedsync.core.observed import Observed
from schedsync.core.origin import Binding
from schedsync.core.schedule import Desired, Spec, canonical_json
from schedsync.core.secrets import masked
from schedsync.core.sources import SETTING, Source, source_document, source_from, unknown_source
from schedsync.core.timing import instant, instant_text
from schedsync.errors import WrongUsage
from schedsync.planning.converter import (
    application_document,
    application_from,
    binding_document,
    binding_from,
    managed_document,
    managed_from,
    pause_from,
    row_document,
    row_from,
    snapshot_pause_document,
)
from schedsync.planning.rolled_back import snapshot_document, snapshot_mark_from
from schedsync.planning.standing import standing_document, standing_from

#: The version of the document; see schemas/snapshot.v1.schema.json.
VERSION = 1


@dataclass(frozen=True)
class Snapshot:
    """The application and the observed state of one set.

    ``last`` is where the set was applied from last, ``dual_writers`` are the names in CELERY_BEAT_SCHEDULE,
    ``controls`` those of Django's settings, ``sources`` what the sources of the application gave. ``durations`` are how
    many seconds a run takes, by the name of its schedule, as far as that is known.
    """

    set: str
    created_at: datetime
    application: Application = field(default_factory=Application)
    observed: Observed = field(default_factory=Observed)
    last: Binding | None = None
    dual_writers: frozenset[str] = frozenset()
    controls: Controls = NO_CONTROLS
    sources: Mapping[str, Source] = field(default_factory=dict)
    durations: Mapping[str, float] = field(default_factory=dict)

    def source(self, name: str, environment: str | None) -> Source | None:
        """Return what a source gave; None in another environment than the one that was applied last.

        The same application has other tenants there. A snapshot from before the first apply is taken for any.
        """
        if self.last is not None and environment is not None and self.last.environment != environment:
            return None
        hint = f"take the snapshot again where `{SETTING}` names the source"
        return self.sources.get(name) or unknown_source(name, self.sources, "the snapshot", hint)

    def document(self) -> dict[str, Any]:
        """Return the snapshot as JSON values by schemas/snapshot.v1.schema.json, its secrets masked."""
        observed = self.observed
        return {
            "version": VERSION,
            "set": self.set,
            "created_at": instant_text(self.created_at),
            "application": application_document(self.application),
            "rows": [row_document(row, masked_spec) for row in observed.rows.values()],
            "ledger": [_masked_people(managed_document(entry, masked_spec)) for entry in observed.ledger.values()],
            "elsewhere": dict(observed.elsewhere),
            "pauses": [snapshot_pause_document(pause) for pause in observed.pauses.values()],
            "last": self.last and binding_document(self.last),
            "dual_writers": sorted(self.dual_writers),
        } | self._optional()

    def _optional(self) -> dict[str, Any]:
        """Return the keys that earlier versions do not know, where they say anything."""
        controls = {} if self.controls == NO_CONTROLS else {"controls": controls_document(self.controls)}
        sources = {name: source_document(source) for name, source in self.sources.items()}
        standing = [standing_document(pause) for pause in self.observed.standing]
        marks = [snapshot_document(mark, masked_spec) for mark in self.observed.rolled_back.values()]
        optional = {
            "sources": sources,
            "standing_pauses": standing,
            "rolled_back": marks,
            "durations": dict(self.durations),
        }
        return controls | {key: value for key, value in optional.items() if value}


def _masked_people(entry: dict[str, Any]) -> dict[str, Any]:
    return entry | {"people": masked(entry["people"])}


def snapshot_from(values: Mapping[str, Any]) -> Snapshot:
    """Read a snapshot from its document; raises ValueError, KeyError or TypeError where it has another shape."""
    last = values["last"]
    return Snapshot(
        set=values["set"],
        created_at=instant(values["created_at"]),
        application=application_from(values["application"]),
        observed=Observed(
            rows={row["name"]: row_from(row) for row in values["rows"]},
            ledger={managed["name"]: managed_from(managed, values["set"]) for managed in values["ledger"]},
            elsewhere=values["elsewhere"],
            pauses={pause["name"]: pause_from(pause) for pause in values["pauses"]},
            standing=tuple(map(standing_from, values.get("standing_pauses", ()))),
            set=values["set"],
            rolled_back={mark["name"]: snapshot_mark_from(mark) for mark in values.get("rolled_back", ())},
        ),
        last=last and binding_from(last),
        dual_writers=frozenset(values["dual_writers"]),
        # Snapshots of earlier versions have none.
        controls=controls_from(values.get("controls", {})),
        sources={name: source_from(name, source) for name, source in values.get("sources", {}).items()},
        durations={name: float(seconds) for name, seconds in values.get("durations", {}).items()},
    )


def masked_spec(spec: Spec) -> Spec:
    """Return a spec whose secrets are masked."""
    args, kwargs, headers = map(_masked_text, (spec.args, spec.kwargs, spec.headers))
    description = masked(spec.description)
    if (args, kwargs, headers, description) == (spec.args, spec.kwargs, spec.headers, spec.description):
        return spec
    return replace(spec, args=args, kwargs=kwargs, headers=headers, description=description)


def _masked_text(text: str) -> str:
    return text if len(text) <= len("[]") else canonical_json(masked(json.loads(text)))


def masked_desired(desired: Desired) -> Desired:
    """Return a desired state that can be compared with a snapshot's observed one."""
    schedules = {
        name: replace(schedule, spec=masked_spec(schedule.spec)) for name, schedule in desired.schedules.items()
    }
    return replace(desired, schedules=schedules)


def check_set(snapshot: Snapshot, set_name: str) -> None:
    """Raise WrongUsage where a snapshot is of another set than the files."""
    if snapshot.set != set_name:
        hint = "take it where this set is configured"
        raise WrongUsage(f"the snapshot is of set `{snapshot.set}`, not of `{set_name}`", hint=hint)
