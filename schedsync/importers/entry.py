"""A spec that was applied becomes the entry that a file would have for it; secrets are masked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timezone
from typing import Any

from schedsync.core.schedule import People, Spec, beyond_row, value_form
from schedsync.core.secrets import masked
from schedsync.files.writer import yaml_text
from schedsync.importers.spelling import fields_of, in_order


def entry_of(name: str, spec: Spec, people: People) -> str:
    """Return the lines of YAML that define a schedule, as it was applied last: after defaults, environments and loops.

    Its fields for people are those of the last apply too.
    """
    fields = {**fields_of(spec, timezone.utc), **ledger_fields(spec), **_of_people(people)}
    return yaml_text({name: in_order(masked(fields))}, levels=2)


def ledger_fields(spec: Spec) -> dict[str, Any]:
    """Return the fields that only the ledger keeps, where they have no default, as the files write them."""
    return {name: value_form(name, getattr(spec, name)) for name in beyond_row(spec)}


def _of_people(people: People) -> Mapping[str, Any]:
    given = {
        "owner": people.owner,
        "runbook": people.runbook,
        "labels": dict(people.labels),
        "disabled_reason": people.disabled_reason,
    }
    return {key: value for key, value in given.items() if value}
