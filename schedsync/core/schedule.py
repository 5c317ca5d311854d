"""A schedule as the files want it, and as a row holds it: both in the same comparable terms."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import lru_cache
from operator import attrgetter
from typing import Any

from schedsync.core.location import Location
from schedsync.core.timing import (
    Clocked,
    Timing,
    duration,
    duration_text,
    instant,
    instant_text,
    timing_form,
    timing_from,
)

#: ``MaxLength`` of ``PeriodicTask.name``, ``task``, ``queue``, ``exchange`` and ``routing_key``.
LONGEST_NAME = 200
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def canonical_json(value: object) -> str:
    """Return the one text that stands for a JSON value: sorted keys, no white space, ASCII only."""
    return _CANONICAL.encode(value)


@dataclass(frozen=True, slots=True)
class Spec:
    """What Beat runs: every field of a row that is compared and written.

    ``args``, ``kwargs`` and ``headers`` are canonical JSON text, ``expires_after`` and ``starting_deadline`` are in
    seconds, instants are in UTC. What only our own Beat reads stands in the ledger, as the table has no columns for it.
    """

    task: str
    timing: Timing
    args: str = "[]"
    kwargs: str = "{}"
    headers: str = "{}"
    queue: str | None = None
    exchange: str | None = None
    routing_key: str | None = None
    priority: int | None = None
    expires_after: int | None = None
    expires_at: datetime | None = None
    start_at: datetime | None = None
    one_off: bool = False
    enabled: bool = True
    description: str = ""
    delivery: str = "at_least_once"
    missed_runs: str = "latest"
    starting_deadline: int | None = None


#: The names of a spec's fields, in the order in which people read them.
FIELDS: tuple[str, ...] = Spec.__match_args__
#: What only our own Beat reads, with the values under which it does as stock Beat does.
OF_OUR_BEAT: Mapping[str, Any] = {"delivery": "at_least_once", "missed_runs": "latest", "starting_deadline": None}
#: What stands in the tables of django-celery-beat.
ROW_FIELDS = tuple(name for name in FIELDS if name not in OF_OUR_BEAT)
_OF_OUR_BEAT_DEFAULTS = tuple(OF_OUR_BEAT.values())
_OF_OUR_BEAT_VALUES = attrgetter(*OF_OUR_BEAT)
_SORTED_FIELDS = tuple(sorted(ROW_FIELDS))
_SORTED_VALUES = attrgetter(*_SORTED_FIELDS)
_SPEC_TEXT = "{" + ",".join(f'"{name}":%s' for name in _SORTED_FIELDS) + "}"
_JSON_FIELDS = frozenset({"args", "kwargs", "headers"})
_INSTANT_FIELDS = frozenset({"expires_at", "start_at"})
_DURATION_FIELDS = frozenset({"expires_after", "starting_deadline"})


@dataclass(frozen=True, slots=True)
class People:
    """What the files say for people: it changes no row, and stands in plans, findings and metrics."""

    owner: str | None = None
    runbook: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
    disabled_reason: str | None = None


#: Where the files say nothing for people.
NOBODY = People()


@dataclass(frozen=True, slots=True)
class Schedule:
    """One schedule that the files want: its name, what Beat shall run, and how to get there."""

    name: str
    spec: Spec
    location: Location
    people: People = NOBODY
    edit_may_fire: bool = False
    renamed_from: str | None = None
    adopt: bool = False
    ignore_changes: frozenset[str] = frozenset()
    template: str | None = None
    places: Mapping[str, tuple[int, int]] = field(default_factory=dict, compare=False, repr=False)

    def at(self, key: str | None) -> Location:
        """Return the place of a field's value; of the schedule itself where the files don't write the field."""
        place = self.places.get(key) if key else None
        return self.location if place is None else Location(self.location.path, *place)


@dataclass(frozen=True, slots=True)
class Desired:
    """All that the files say about one set, in one environment."""

    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    removed: Mapping[str, Location] = field(default_factory=dict)

    @classmethod
    def of(cls, schedules: Iterable[Schedule], removed: Mapping[str, Location] | None = None) -> Desired:
        """Build the desired state from its schedules, sorted by name."""
        by_name = {schedule.name: schedule for schedule in schedules}
        return cls(dict(sorted(by_name.items())), dict(removed or {}))


def completed_at(spec: Spec, now: datetime) -> bool:
    """Say whether nothing can run any more by the clock alone: ``at`` or ``expires_at`` has passed."""
    if isinstance(spec.timing, Clocked) and spec.timing.at <= now:
        return True
    return spec.expires_at is not None and spec.expires_at <= now


def form(spec: Spec) -> dict[str, Any]:
    """Return the canonical form as JSON values: what the ledger, a plan and its checksum hold."""
    return {name: value_form(name, getattr(spec, name)) for name in (*ROW_FIELDS, *said_to_our_beat(spec))}


def said_to_our_beat(spec: Spec) -> tuple[str, ...]:
    """Return the names of the fields for our own Beat that say something; the canonical form leaves the others out."""
    if _OF_OUR_BEAT_VALUES(spec) == _OF_OUR_BEAT_DEFAULTS:
        return ()
    return tuple(name for name, default in OF_OUR_BEAT.items() if getattr(spec, name) != default)


def value_form(name: str, value: Any) -> Any:
    """Return one field's value as a JSON value."""
    if value is None or isinstance(value, bool):
        return value
    if name == "timing":
        return timing_form(value)
    if name in _JSON_FIELDS:
        return json.loads(value)
    if name in _INSTANT_FIELDS:
        return instant_text(value)
    return duration_text(value) if name in _DURATION_FIELDS else value


def value_from(name: str, value: Any) -> Any:
    """Read one field's value back from its JSON value; raises ValueError or KeyError where it is none."""
    if name == "timing":
        return timing_from(value)
    if value is None:
        return None
    if name in _JSON_FIELDS:
        return canonical_json(value)
    if name in _INSTANT_FIELDS:
        return instant(value)
    return duration(value) // 10**6 if name in _DURATION_FIELDS else value


def spec_from(values: Mapping[str, Any]) -> Spec:
    """Read a spec back from its canonical form; raises ValueError, KeyError or TypeError where it is none."""
    return Spec(**{name: value_from(name, value) for name, value in values.items()})


def spec_text(spec: Spec) -> str:
    """Return a spec's canonical form as text.

    Put together from its parts, most of which are canonical text or repeat: ten thousand are compared in a plan.
    """
    texts = [
        "null" if value is None else value if name in _JSON_FIELDS else _scalar_text(name, value)
        for name, value in zip(_SORTED_FIELDS, _SORTED_VALUES(spec), strict=True)
    ]
    text = _SPEC_TEXT % tuple(texts)
    said = [f'"{name}":{_scalar_text(name, getattr(spec, name))}' for name in said_to_our_beat(spec)]
    return f"{text[:-1]},{','.join(said)}}}" if said else text


@lru_cache(maxsize=65536, typed=True)
def _scalar_text(name: str, value: Any) -> str:
    return canonical_json(value_form(name, value))


def differing(one: Spec, other: Spec) -> tuple[str, ...]:
    """Return the names of the fields in which two specs differ."""
    if one == other:
        return ()
    return tuple(name for name in FIELDS if getattr(one, name) != getattr(other, name))


def with_fields(spec: Spec, source: Spec, names: Iterable[str]) -> Spec:
    """Return the spec with the named fields taken from another."""
    return replace(spec, **{name: getattr(source, name) for name in names})


def utc(value: datetime) -> datetime:
    """Return an aware datetime in UTC."""
    return value.astimezone(timezone.utc)
