"""Groups of changes as rows of a table: one line each: what changes, the next runs, how often; before → after."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from schedsync.calendar.words import frequency, moment
from schedsync.core.change import Change, FieldChange
from schedsync.core.names import and_more, first_names
from schedsync.core.schedule import Spec
from schedsync.core.timing import Interval, Timing, timing_from, zone_of
from schedsync.render.folding import Group
from schedsync.render.timing_words import timing_words
from schedsync.render.words import printable

_SIGNS = {"create": "+", "update": "~", "delete": "-", "rename": ">", "adopt": "<", "release": "x"}
#: A row has at most this many fields, owners and places; its foldout has all of them.
_FIELDS_SHOWN, _OWNERS_SHOWN, _PLACES_SHOWN = 4, 2, 1
#: A longer value is cut in the row.
_LONGEST = 90
#: Only edits of these can change the next runs.
_MOVING = frozenset({"timing", "enabled", "start_at", "expires_at", "one_off"})
_SEPARATOR, _NO_BREAK = " · ", "\u00a0"
#: Within it a weekday alone tells the date.
_WEEK = timedelta(days=6)


@dataclass(frozen=True, slots=True)
class Moved:
    """A value before and after; one of them is None where there is none, or where both are the same."""

    before: str | None = None
    after: str | None = None
    label: str = ""
    is_code: bool = False


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One row: the group that it is about, and its cells."""

    group: Group
    sign: str
    what: Sequence[Moved]
    more_fields: int
    runs: Moved
    often: Moved
    owner: str
    place: str

    @property
    def kind(self) -> str:
        """The kind of the change."""
        return self.group.first.kind

    @property
    def is_many(self) -> bool:
        """Whether it is about several schedules."""
        return len(self.group.members) > 1

    @property
    def all_alarm(self) -> bool:
        """Whether all members need a look."""
        return self.group.alarming == self.group.names


def rows(groups: Iterable[Group], now: datetime | None) -> list[ChangeRow]:
    """Return a row for each group; ``now`` is when the change is applied, None leaves out the next runs."""
    return [_row(group, now) for group in groups]


def _row(group: Group, now: datetime | None) -> ChangeRow:
    what = [moved for field in _in_order(group) if (moved := _what(group, field)) is not None]
    return ChangeRow(
        group=group,
        sign=_SIGNS[group.first.kind],
        what=what[:_FIELDS_SHOWN],
        more_fields=max(0, len(what) - _FIELDS_SHOWN),
        runs=_runs(group, now) if now is not None else Moved(),
        often=_often(group),
        owner=_owners(group),
        place=_places(group),
    )


def _in_order(group: Group) -> list[FieldChange]:
    """Return the fields with the timing first: it is what most reviewers look for."""
    order = {"timing": 0, "enabled": 1, "task": 2}
    return sorted(group.fields, key=lambda field: order.get(field.field, len(order)))


def _what(group: Group, field: FieldChange) -> Moved | None:
    change = group.first
    before, after = group.moved(field)
    has_before, has_after = change.row is not None, change.after is not None
    if field.field == "timing" and not any(map(group.detail, group.members[:1])):
        words = _timings(field.before if has_before else None, field.after if has_after else None)
        if words is not None:
            return Moved(*words)
    elif has_before != has_after and (field.after if has_after else field.before) in (None, "", [], {}):
        return None
    label = "" if field.field in ("timing", "task") else field.field
    return Moved(_cut(before) if has_before else None, _cut(after) if has_after else None, label, is_code=True)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _timings(before: Any, after: Any) -> tuple[str | None, str | None] | None:
    """Return two timings in words, with a zone that both have once; None if words cannot tell them apart."""
    try:
        timings = [None if form is None else timing_from(form) for form in (before, after)]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    zones = {str(zone_of(timing)) for timing in timings if timing is not None}
    with_utc = len(zones) > 1
    old, new = (None if each is None else printable(timing_words(each, with_utc=with_utc)) for each in timings)
    if old == new:
        return None
    if old is not None and new is not None and len(zones) == 1:
        old = old.removesuffix(f" {zones.pop()}")
    return old, new


def _runs(group: Group, now: datetime) -> Moved:
    """Return the next three runs before and after; of several schedules with times of their own, those of one."""
    change = group.first
    specs = _specs(change)
    if specs == (None, None):
        return Moved()
    label = "" if len({_timing_pair(each) for each in group.members}) == 1 else f"{change.name}:"
    if label and change.row is not None and not _MOVING.intersection(field.field for field in change.fields):
        return Moved(None, "as before, each at its own time")
    # Loaded here: it computes by Celery, which takes half a second.
    from schedsync.planning.consequences import runs_around

    before, after = (_runs_text(spec, runs, now) for spec, runs in zip(specs, runs_around(change, now), strict=True))
    if change.row is not None and before == after:
        return Moved(None, after, label)
    if specs[0] and specs[1] and (zone := f" {zone_of(specs[1].timing)}") and after.endswith(zone):
        before = before.removesuffix(zone)
    return Moved(before if specs[0] else None, after if specs[1] or change.row is not None else None, label)


def _timing_pair(change: Change) -> tuple[Timing | None, Timing | None]:
    before, after = (None if spec is None else spec.timing for spec in _specs(change))
    return before, after


def _specs(change: Change) -> tuple[Spec | None, Spec | None]:
    return change.row.spec if change.row is not None else None, change.after


def _runs_text(spec: Spec | None, runs: Sequence[datetime], now: datetime) -> str:
    if spec is None or not runs:
        return "no run"
    if isinstance(spec.timing, Interval) and (spec.start_at is None or spec.start_at <= now):
        # Only Beat knows the last run.
        return "from its last run"
    return runs_text(runs, spec.timing, now)


def runs_text(runs: Sequence[datetime], timing: Timing, now: datetime | None) -> str:
    """Write instants as the clocks of a timing's zone show them: the first with its date, the others short."""
    zone = zone_of(timing)
    parts = [moment(runs[0], zone, now)]
    for before, run in pairwise(runs):
        date, _, clock = moment(run, zone, now).rpartition(" ")
        if run.astimezone(zone).date() == before.astimezone(zone).date():
            parts.append(clock)
        elif run - runs[0] < _WEEK:
            parts.append(f"{date[:3]} {clock}")
        else:
            parts.append(f"{date} {clock}")
    # A line breaks between two instants, not within one.
    return f"{_SEPARATOR.join(part.replace(' ', _NO_BREAK) for part in parts)} {zone}"


def _often(group: Group) -> Moved:
    """Return how often a schedule runs before and after; of several only what all of them have in common."""
    change = group.first
    rates = {tuple(map(_how_often, _specs(each))) for each in group.members}
    if len(rates) > 1:
        return Moved(None, "each its own")
    [(before, after)] = rates
    each = " each" if len(group.members) > 1 else ""
    if change.row is None:
        return Moved(None, after and after + each)
    if change.kind == "release":
        return Moved(before)
    return Moved(None if before == after else before, f"{after or 'none'}{each if after else ''}")


def _how_often(spec: Spec | None) -> str | None:
    if spec is None:
        return None
    if not spec.enabled:
        return "none"
    return "once" if spec.one_off or spec.timing.kind == "clocked" else frequency(spec.timing)


def _owners(group: Group) -> str:
    owners = sorted({change.people.owner for change in group.members if change.people.owner})
    return printable(first_names(owners, _OWNERS_SHOWN))


def _places(group: Group) -> str:
    places = dict.fromkeys(f"{each.path}:{each.line}" for change in group.members if (each := change.location))
    first = list(places)[:_PLACES_SHOWN]
    return printable(", ".join(first) + and_more(len(places), _PLACES_SHOWN))
