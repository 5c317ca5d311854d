"""A schedule, from a file or from a row, as values that can be compared."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

from schedsync.core.crontab import is_hashed
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
#: Most arguments and headers are empty, and the encoder takes long to begin.
_EMPTY: Mapping[type, str] = {list: "[]", dict: "{}"}


def canonical_json(value: object) -> str:
    """Return a JSON value as its canonical text: sorted keys, no white space, ASCII only."""
    if not value and (text := _EMPTY.get(type(value))) is not None:
        return text
    return _CANONICAL.encode(value)


@dataclass(frozen=True, slots=True)
class Spec:
    """The fields of a schedule that are compared and written to its row.

    ``args``, ``kwargs`` and ``headers`` are canonical JSON text. ``expires_after``, ``starting_deadline`` and
    ``max_runtime`` are in seconds, instants are in UTC. ``monitor`` is canonical JSON text too, None without a monitor.
    The monitor and the fields that only schedsync's own Beat reads are in the ledger: the row has no columns for them.
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
    overlap: str = "allow"
    max_runtime: int | None = None
    monitor: str | None = None

    @property
    def skips(self) -> bool:
        """Whether its ticks wait for its last run; one that runs once would be lost, so it never waits."""
        runs_once = self.one_off or isinstance(self.timing, Clocked)
        return self.overlap == "skip" and bool(self.max_runtime) and not runs_once


#: The names of a spec's fields, in the order in which people read them.
FIELDS: tuple[str, ...] = Spec.__match_args__
#: Fields that only schedsync's own Beat reads, with their defaults: with these it behaves as stock Beat.
OF_OUR_BEAT: Mapping[str, Any] = {
    "delivery": "at_least_once", "missed_runs": "latest", "starting_deadline": None, "overlap": "allow",
    "max_runtime": None,
}  # fmt: skip
#: Fields that only the ledger has, with their defaults.
LEDGER_FIELDS: Mapping[str, Any] = {**OF_OUR_BEAT, "monitor": None}
#: Fields that django-celery-beat's tables have.
ROW_FIELDS = tuple(name for name in FIELDS if name not in LEDGER_FIELDS)
_LEDGER_DEFAULTS = tuple(LEDGER_FIELDS.values())
_LEDGER_VALUES = attrgetter(*LEDGER_FIELDS)
_SORTED_FIELDS = tuple(sorted(ROW_FIELDS))
_SORTED_VALUES = attrgetter(*_SORTED_FIELDS)
_SPEC_TEXT = "{" + ",".join(f'"{name}":%s' for name in _SORTED_FIELDS) + "}"
#: Fields that are JSON text.
JSON_FIELDS = frozenset({"args", "kwargs", "headers", "monitor"})
_INSTANT_FIELDS = frozenset({"expires_at", "start_at"})
_DURATION_FIELDS = frozenset({"expires_after", "starting_deadline", "max_runtime"})
_CONVERTED = JSON_FIELDS | _INSTANT_FIELDS | _DURATION_FIELDS | {"timing"}


@dataclass(frozen=True, slots=True)
class People:
    """Fields for people, shown in plans, findings and metrics; they change no row."""

    owner: str | None = None
    runbook: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
    disabled_reason: str | None = None


#: No fields for people.
NOBODY = People()


class Template(NamedTuple):
    """The definition of a schedule from a ``for_each``: its name as written, and the values of its placeholders."""

    name: str
    values: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Schedule:
    """One schedule of the files.

    ``positions`` are the lines and columns of its keys. ``template`` is its definition if it comes from a ``for_each``.
    ``adopt`` takes over a row that nobody manages, ``adopt_from`` one of the named set too. ``crontab_text`` is a
    crontab as it is written, five fields or an alias; the timing does not tell `*/40` from `0,40`.
    """

    name: str
    spec: Spec
    location: Location
    people: People = NOBODY
    edit_may_fire: bool = False
    renamed_from: str | None = None
    adopt: bool = False
    adopt_from: str | None = None
    ignore_changes: frozenset[str] = frozenset()
    template: Template | None = None
    crontab_text: str | None = field(default=None, compare=False, repr=False)
    positions: Mapping[str, tuple[int, int]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def name_in_file(self) -> str:
        """Its name as the file has it, with the placeholders of a ``for_each``."""
        return self.template.name if self.template else self.name

    @property
    def hashed(self) -> str | None:
        """Its crontab as it is written, if that contains an ``H``; else None."""
        text = self.crontab_text
        return " ".join(text.split()) if text and is_hashed(text) else None

    def at(self, key: str | None) -> Location:
        """Return the place of a field's value, or of the schedule itself where the field is not in the file."""
        place = self.positions.get(key) if key else None
        return self.location if place is None else Location(self.location.path, *place)


@dataclass(frozen=True, slots=True)
class Desired:
    """The schedules of one set in one environment, and the names under ``removed``.

    ``kept_rows`` are those under ``removed`` whose row stays: it is only no longer managed. ``given_back`` are the
    values that some of these rows get before, by name: an adoption is rolled back.
    """

    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    removed: Mapping[str, Location] = field(default_factory=dict)
    kept_rows: frozenset[str] = frozenset()
    given_back: Mapping[str, Spec] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        schedules: Iterable[Schedule],
        removed: Mapping[str, Location] | None = None,
        kept_rows: Iterable[str] = (),
    ) -> Desired:
        """Build the desired state from its schedules, sorted by name."""
        by_name = {schedule.name: schedule for schedule in schedules}
        return cls(dict(sorted(by_name.items())), dict(removed or {}), frozenset(kept_rows))


def with_plain_breaks(text: str) -> str:
    """Return text with each line break as one character: the forms of Django's admin send two."""
    return text.replace("\r\n", "\n")


def completed_at(spec: Spec, now: datetime) -> bool:
    """Say whether ``at`` or ``expires_at`` has passed, so that it can never run again."""
    if isinstance(spec.timing, Clocked) and spec.timing.at <= now:
        return True
    return spec.expires_at is not None and spec.expires_at <= now


def form(spec: Spec) -> dict[str, Any]:
    """Return the canonical form as JSON values, as the ledger and plans have it."""
    return {name: value_form(name, getattr(spec, name)) for name in (*ROW_FIELDS, *beyond_row(spec))}


def beyond_row(spec: Spec) -> tuple[str, ...]:
    """Return the names of the ledger's fields with another value than the default; the canonical form has these."""
    if _LEDGER_VALUES(spec) == _LEDGER_DEFAULTS:
        return ()
    return tuple(name for name, default in LEDGER_FIELDS.items() if getattr(spec, name) != default)


def value_form(name: str, value: Any) -> Any:
    """Return one field's value as a JSON value."""
    if value is None or isinstance(value, bool):
        return value
    if name == "timing":
        return timing_form(value)
    if name in JSON_FIELDS:
        return json.loads(value)
    if name in _INSTANT_FIELDS:
        return instant_text(value)
    return duration_text(value) if name in _DURATION_FIELDS else value


def value_from(name: str, value: Any) -> Any:
    """Read one field's value back from its JSON value; raises ValueError or KeyError where it has another shape."""
    if name == "timing":
        return timing_from(value)
    if value is None:
        return None
    if name in JSON_FIELDS:
        return canonical_json(value)
    if name in _INSTANT_FIELDS:
        return instant(value)
    return duration(value) // 10**6 if name in _DURATION_FIELDS else value


def spec_from(values: Mapping[str, Any]) -> Spec:
    """Read a spec back from its canonical form; raises ValueError, KeyError or TypeError where it has another shape."""
    read = {**values}
    # Most values are what they are in JSON: a call for each of them would take longer than all the rest.
    for name in _CONVERTED & read.keys():
        read[name] = value_from(name, read[name])
    return Spec(**read)


def spec_text(spec: Spec) -> str:
    """Return a spec's canonical form as text.

    It is put together from the texts of its fields, which are canonical already or cached: a plan asks for thousands.
    """
    texts = [
        "null" if value is None else value if name in JSON_FIELDS else _scalar_text(name, value)
        for name, value in zip(_SORTED_FIELDS, _SORTED_VALUES(spec), strict=True)
    ]
    text = _SPEC_TEXT % tuple(texts)
    extra = [f'"{name}":{_scalar_text(name, getattr(spec, name))}' for name in beyond_row(spec)]
    return f"{text[:-1]},{','.join(extra)}}}" if extra else text


@lru_cache(maxsize=65536, typed=True)
def _scalar_text(name: str, value: Any) -> str:
    return canonical_json(value_form(name, value))


def differing(spec: Spec, other: Spec) -> tuple[str, ...]:
    """Return the names of the fields in which two specs differ."""
    if spec == other:
        return ()
    return tuple(name for name in FIELDS if getattr(spec, name) != getattr(other, name))


def with_fields(spec: Spec, source: Spec, names: Iterable[str]) -> Spec:
    """Return the spec with the named fields taken from another."""
    return replace(spec, **{name: getattr(source, name) for name in names})


def utc(value: datetime) -> datetime:
    """Return an aware datetime in UTC."""
    return value.astimezone(timezone.utc)
