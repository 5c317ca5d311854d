"""What a file says, as JSON text and back: for the cache, where it saves reading the file again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.core.schedule import FIELDS, NOBODY, People, Schedule, Spec, canonical_json
from schedsync.core.timing import Timing, instant_text, timing_form, timing_from
from schedsync.sources.environments import Part
from schedsync.sources.reading import FileReading

_TIMING = FIELDS.index("timing")
_INSTANTS = tuple(FIELDS.index(name) for name in ("expires_at", "start_at"))


def stored(reading: FileReading, environments: Sequence[str | None]) -> str:
    """Return what a file says in the given environments as text."""
    return json.dumps(
        {
            "findings": [_finding(one) for one in reading.findings],
            "by_environment": reading.by_environment,
            "entries": reading.entries,
            "ignores": {line: sorted(codes) for line, codes in reading.ignores.items()},
            "parts": [[one, _part(reading.part(one))] for one in (environments if reading.by_environment else [None])],
        },
        separators=(",", ":"),
    )


def restored(text: str, path: str) -> FileReading:
    """Return what a file says from its text; raises ValueError, KeyError, IndexError or TypeError where it is none."""
    values = json.loads(text)
    parts = {environment: _part_from(part, path) for environment, part in values["parts"]}
    return FileReading(
        path=path,
        findings=tuple(_finding_from(one) for one in values["findings"]),
        by_environment=values["by_environment"],
        ignores={int(line): frozenset(codes) for line, codes in values["ignores"].items()},
        entries=tuple((line, name) for line, name in values["entries"]),
        part=parts.__getitem__ if values["by_environment"] else lambda _: parts[None],
    )


def judgements_text(findings: Sequence[Finding]) -> str:
    """Return findings as text."""
    return json.dumps([_finding(one) for one in findings], separators=(",", ":"))


def judgements(text: str | None) -> list[Finding] | None:
    """Return findings from their text; None where it is none."""
    try:
        return None if text is None else [_finding_from(one) for one in json.loads(text)]
    except (ValueError, TypeError):
        return None


def _part(part: Part) -> list[Any]:
    return [
        [_schedule(schedule) for schedule in part.schedules],
        [[name, place] for name, place in part.removed],
        [_finding(one) for one in part.findings],
    ]


def _part_from(values: Sequence[Any], path: str) -> Part:
    schedules, removed, findings = values
    return Part(
        tuple(_schedule_from(one, path) for one in schedules),
        tuple((name, Location(*place)) for name, place in removed),
        tuple(_finding_from(one) for one in findings),
    )


def _finding(finding: Finding) -> list[Any]:
    return [finding.code, finding.message, finding.location, finding.hint, finding.severity]


def _finding_from(values: Sequence[Any]) -> Finding:
    code, message, place, hint, severity = values
    return Finding(code, message, place and Location(*place), hint, severity)


def _schedule(schedule: Schedule) -> list[Any]:
    people = schedule.people
    options = {
        "edit_may_fire": schedule.edit_may_fire,
        "renamed_from": schedule.renamed_from,
        "adopt": schedule.adopt,
        "template": schedule.template,
    }
    return [
        schedule.name,
        _spec(schedule.spec),
        schedule.location[1:],
        None if people is NOBODY else [people.owner, people.runbook, people.labels, people.disabled_reason],
        {key: value for key, value in options.items() if value},
        sorted(schedule.ignore_changes),
        schedule.places,
    ]


def _schedule_from(values: Sequence[Any], path: str) -> Schedule:
    name, spec, place, people, options, ignored, places = values
    return Schedule(
        name,
        _spec_from(spec),
        Location(path, *place),
        people=NOBODY if people is None else _people_from(people),
        ignore_changes=frozenset(ignored),
        places=places,
        **options,
    )


def _people_from(values: Sequence[Any]) -> People:
    owner, runbook, labels, reason = values
    return People(owner, runbook, tuple((key, value) for key, value in labels), reason)


def _spec(spec: Spec) -> list[Any]:
    values = [getattr(spec, name) for name in FIELDS]
    values[_TIMING] = canonical_json(timing_form(spec.timing))
    for index in _INSTANTS:
        values[index] = values[index] and instant_text(values[index])
    return values


def _spec_from(values: list[Any]) -> Spec:
    values[_TIMING] = _timing(values[_TIMING])
    for index in _INSTANTS:
        if values[index] is not None:
            values[index] = datetime.fromisoformat(values[index].replace("Z", "+00:00"))
    return Spec(*values)


@lru_cache(maxsize=65536)
def _timing(text: str) -> Timing:
    values: Mapping[str, Any] = json.loads(text)
    return timing_from(values)
