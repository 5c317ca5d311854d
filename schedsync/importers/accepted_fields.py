"""The keys that make a layer of a schedule say what its row holds; every key that says so already stays as it is."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timezone, tzinfo
from typing import Any

from schedsync.core.acceptance import Acceptance
from schedsync.core.crontab import FIELDS, CrontabError, expand, split
from schedsync.core.observed import Typed
from schedsync.core.schedule import Spec, canonical_json
from schedsync.core.timing import (
    Clocked,
    Crontab,
    TimingError,
    canonical_zone,
    duration,
    instant,
    offset_of,
)
from schedsync.files.environments import EXPIRIES
from schedsync.files.splice import GONE, Renamed
from schedsync.files.timing import TIMINGS
from schedsync.files.writer import Instant, Quoted
from schedsync.importers.entry import ledger_fields
from schedsync.importers.spelling import fields_of, instant_in, timing_fields

#: The fields of a spec that have no key of the same name and the same values.
_GROUPED = frozenset({"timing", "expires_after", "expires_at", "enabled", "one_off"})


@dataclass(frozen=True, slots=True)
class Layer:
    """A mapping of a file: the values that it writes itself, null among them, and those that it gets from below it.

    ``merged`` are those of ``below`` that an anchor gives to the mapping: no key of a group replaces these.
    """

    own: Mapping[str, Any]
    below: Mapping[str, Any]
    merged: Mapping[str, Any] = field(default_factory=dict)

    def nulls(self, key: str, group: Collection[str]) -> dict[str, Any]:
        """Return null for each merged key of a group that would stand beside ``key``."""
        rivals = [name for name in group if name != key and name not in self.own]
        return {name: None for name in rivals if self.merged.get(name) is not None}

    def effective(self, key: str, group: Collection[str] = ()) -> Any:
        """Return what a key says here; a key of its group replaces it. None for nothing."""
        if key in self.own:
            return self.own[key]
        replaced = any(self.own.get(other) is not None for other in group)
        return None if replaced else self.below.get(key)


@dataclass(frozen=True, slots=True)
class Taken:
    """What a layer shall say: a spec, and which of its fields; ``name`` is the one that seeds `H`."""

    acceptance: Acceptance
    spec: Spec
    name: str
    zone: tzinfo
    typed: Typed | None = None


def layer_changes(layer: Layer, taken: Taken, names: Collection[str]) -> dict[str, Any]:
    """Return the new value of each key that must change, as ``edit_mapping`` takes them, in the order of keys."""
    wanted = fields_of(taken.spec, taken.zone, taken.typed) | ledger_fields(taken.spec)
    wanted = {key: _as_written(layer.effective(key), value, taken.zone) for key, value in wanted.items()}
    changes: dict[str, Any] = {}
    if "timing" in names:
        changes |= _timing_changes(layer, taken)
    for name in names:
        if name not in _GROUPED:
            changes |= dict(_plain_changes(layer, name, wanted.get(name)))
    if not {"expires_after", "expires_at"}.isdisjoint(names):
        changes |= _expiry_changes(layer, {key: wanted[key] for key in EXPIRIES if key in wanted})
    if "one_off" in names or "timing" in names:
        changes |= dict(_one_off_changes(layer, taken.spec))
    if "enabled" in names:
        changes |= _enabled_changes(layer, taken)
    return changes


def _plain_changes(layer: Layer, key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the change of a key that has a value of its own; None stands for the documented default."""
    if value is None:
        if layer.below.get(key) is not None:
            if key not in layer.own or layer.own[key] is not None:
                yield key, None
        elif key in layer.own:
            yield key, GONE
    elif canonical_json(layer.effective(key)) != canonical_json(value):
        yield key, value


def _timing_changes(layer: Layer, taken: Taken) -> dict[str, Any]:
    timing = taken.spec.timing
    fields = timing_fields(timing, taken.zone)
    key = next(key for key in TIMINGS if key in fields)
    value = fields[key]
    if isinstance(timing, Crontab):
        value = _crontab_value(layer.effective(key, TIMINGS), str(value), taken.name)
    value = _as_written(layer.effective(key, TIMINGS), value, taken.zone)
    other = next((name for name in TIMINGS if name != key and layer.own.get(name) is not None), None)
    changes: dict[str, Any] = {}
    if other is not None and layer.merged.get(other) is not None:
        changes |= {other: None, key: value}
    elif other is not None and key not in layer.own:
        changes[other] = Renamed(key, value)
    elif other is not None:
        changes |= {other: GONE, key: value}
    elif canonical_json(layer.effective(key)) != canonical_json(value):
        changes[key] = value
    changes = layer.nulls(key, TIMINGS) | changes
    return changes | dict(_zone_changes(layer, timing.timezone if isinstance(timing, Crontab) else None))


def _as_written(written: Any, value: Any, zone: tzinfo) -> Any:
    """Return a duration or an instant as it is written where that says the same; a new instant keeps the offset.

    An offset that is the zone's own at that time is no choice: the zone's clocks may be set to another one meanwhile.
    """
    if not isinstance(written, str) or not isinstance(value, str):
        return value
    try:
        if not isinstance(value, Instant):
            return written if duration(written) == duration(value) else value
        before, after, offset = instant(written), instant(value), offset_of(written) or timezone.utc
        if before == after:
            return Instant(written)
        is_zone = before.astimezone(zone).utcoffset() == offset.utcoffset(None)
        return value if is_zone else instant_in(after, offset)
    except TimingError:
        return value


def _zone_changes(layer: Layer, zone: str | None) -> Iterator[tuple[str, Any]]:
    """Yield the change of the time zone, which only a crontab has."""
    if zone is None:
        if "timezone" in layer.own:
            yield "timezone", GONE
    elif _zone(layer.effective("timezone")) != zone:
        is_default = zone == "UTC" and layer.below.get("timezone") is None
        yield "timezone", GONE if is_default else zone


def _zone(written: Any) -> str | None:
    try:
        return canonical_zone(str(written)) if written is not None else "UTC"
    except TimingError:
        return None


def _crontab_value(written: Any, wanted: str, name: str) -> Any:
    """Return a crontab in the form that is written: each field that says the same keeps its text."""
    new = dict(zip((field.name for field in FIELDS), wanted.split(), strict=True))
    if isinstance(written, Mapping):
        kept = {key: _field(str(written.get(key, "*")), text, key, name) for key, text in new.items()}
        return {
            key: written[key] if key in written and str(written[key]) == text else _number(text)
            for key, text in kept.items()
            if key in written or text != "*"
        }
    if not isinstance(written, str):
        return Quoted(wanted)
    try:
        old = {field.name: text for field, (text, _) in zip(FIELDS, split(written), strict=True)}
    except CrontabError:
        return Quoted(wanted)
    kept = {key: _field(old[key], text, key, name) for key, text in new.items()}
    return written if kept == old else Quoted(" ".join(kept.values()))


def _field(old: str, new: str, key: str, name: str) -> str:
    field = next(field for field in FIELDS if field.name == key)
    try:
        return old if expand(old, field, name) == expand(new, field) else new
    except CrontabError:
        return new


def _number(text: str) -> Any:
    return int(text) if text.isdigit() else text


def _expiry_changes(layer: Layer, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes of the two keys of the expiry; ``wanted`` has one of them, or none."""
    if not wanted:
        nulls = {key: None for key in EXPIRIES if layer.below.get(key) is not None}
        has_own = {key: GONE for key in EXPIRIES if key in layer.own and key not in nulls}
        return has_own | {key: None for key in nulls if key not in layer.own or layer.own[key] is not None}
    [(key, value)] = wanted.items()
    other = EXPIRIES[1 - EXPIRIES.index(key)]
    if layer.own.get(other) is not None:
        if layer.merged.get(other) is not None:
            return {other: None, key: value}
        return {other: Renamed(key, value)} if key not in layer.own else {other: GONE, key: value}
    return layer.nulls(key, EXPIRIES) | ({} if layer.effective(key, EXPIRIES) == value else {key: value})


def _one_off_changes(layer: Layer, spec: Spec) -> Iterator[tuple[str, Any]]:
    written = layer.effective("one_off")
    if isinstance(spec.timing, Clocked):
        if written is False:
            yield "one_off", True
    elif spec.one_off != (written is True):
        is_default = not spec.one_off and layer.below.get("one_off") is None
        yield "one_off", GONE if is_default else spec.one_off


def _enabled_changes(layer: Layer, taken: Taken) -> dict[str, Any]:
    """Return the changes of `enabled` and of the reason, which a disabled schedule has."""
    if taken.spec.enabled:
        gone = {key: GONE for key in ("enabled", "disabled_reason") if key in layer.own}
        is_disabled_below = layer.below.get("enabled") is False
        return gone | {"enabled": True} if is_disabled_below else gone
    changes: dict[str, Any] = {} if layer.effective("enabled") is False else {"enabled": False}
    if not layer.effective("disabled_reason"):
        changes["disabled_reason"] = taken.acceptance.disabled_reason
    return changes
