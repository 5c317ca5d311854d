"""Groups of changes as rows of a table: one line each: what changes, the next runs, how often; before → after."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from schedsync.calendar.words import how_often, zone_name
from schedsync.core.change import Change, FieldChange
from schedsync.core.schedule import Spec
from schedsync.core.timing import Interval
from schedsync.render.changes.cells import next_runs, owners_text, places_text, run_alike, runs_text, specs, timings
from schedsync.render.changes.folding import Group

_SIGNS = {"create": "+", "update": "~", "delete": "-", "rename": ">", "adopt": "<", "release": "x"}
#: A row has at most this many fields, owners and places; its foldout has all of them.
_FIELDS_SHOWN, _OWNERS_SHOWN, _PLACES_SHOWN = 4, 2, 1
#: In characters. A longer value is cut in the row.
_LONGEST = 90
#: Only edits of these can change the next runs.
_MOVING = frozenset({"timing", "enabled", "start_at", "expires_at", "one_off"})
_BY_ENVIRONMENT = "differs by environment"


@dataclass(frozen=True, slots=True)
class Moved:
    """A value before and after; one of them is None where there is none, or where both are the same."""

    before: str | None = None
    after: str | None = None
    label: str = ""
    is_code: bool = False


class InEnvironment(NamedTuple):
    """How a schedule runs in one environment."""

    environment: str
    runs: Moved
    often: Moved


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One row: the group that it is about, and its cells.

    ``by_environment`` is how the first schedule runs in each environment, empty if it runs alike in all of them.
    """

    group: Group
    sign: str
    what: Sequence[Moved]
    more_fields: int
    runs: Moved
    often: Moved
    owner: str
    place: str
    by_environment: Sequence[InEnvironment] = ()

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
        owner=owners_text(group.all_changes, _OWNERS_SHOWN),
        place=places_text(group.all_changes, _PLACES_SHOWN),
        by_environment=_by_environment(group, now),
    )


def _in_order(group: Group) -> list[FieldChange]:
    """Return the fields with the timing first: it is what most reviewers look for."""
    order = {"timing": 0, "enabled": 1, "task": 2}
    return sorted(group.fields, key=lambda field: order.get(field.field, len(order)))


def _what(group: Group, field: FieldChange) -> Moved | None:
    change = group.first
    before, after = group.moved(field, _LONGEST)
    has_before, has_after = change.row is not None, change.after is not None
    if field.field == "timing" and not any(map(group.detail, group.members[:1])):
        words = timings(field.before if has_before else None, field.after if has_after else None)
        if words is not None:
            return Moved(*words)
    elif has_before != has_after and (field.after if has_after else field.before) in (None, "", [], {}):
        return None
    label = "" if field.field in ("timing", "task") else field.field
    return Moved(before if has_before else None, after if has_after else None, label, is_code=True)


def _runs(group: Group, now: datetime) -> Moved:
    """Return the next three runs before and after; of several schedules with times of their own, those of one."""
    change = group.first
    if specs(change) == (None, None):
        return Moved()
    if run_alike(group.all_changes):
        return _runs_of(change, now)
    if not run_alike(_of_first(group).values()):
        return Moved(None, _BY_ENVIRONMENT)
    if change.row is not None and not _MOVING.intersection(field.field for field in change.fields):
        return Moved(None, "as before, each at its own time")
    return replace(_runs_of(change, now), label=f"{change.name}:")


def _runs_of(change: Change, now: datetime) -> Moved:
    old, new = specs(change)
    runs_before, runs_after = next_runs(change, now)
    before = _runs_text(old, runs_before, now)
    if change.kind == "release":
        # Its row stays as it is.
        return Moved(None, before)
    after = _runs_text(new, runs_after, now, is_new=change.row is None)
    if change.row is not None and before == after:
        return Moved(None, after)
    if old and new and (zone := f" {zone_name(new.timing)}") and after.endswith(zone):
        before = before.removesuffix(zone)
    return Moved(before if old else None, after if new or change.row is not None else None)


def _runs_text(spec: Spec | None, runs: Sequence[datetime], now: datetime, *, is_new: bool = False) -> str:
    if spec is None or not runs:
        return "no run"
    if isinstance(spec.timing, Interval) and (spec.start_at is None or spec.start_at <= now):
        # Only Beat knows the last run; a new schedule has none.
        return f"first {str(spec.timing).removeprefix('every ')} after the apply" if is_new else "from its last run"
    return runs_text(runs, spec.timing, now)


def _of_first(group: Group) -> dict[str, Change]:
    """Return the changes of the first schedule, by their environments."""
    return {environment or "": change for environment, change in group.changes if change.name == group.first.name}


def _by_environment(group: Group, now: datetime | None) -> list[InEnvironment]:
    """Return how the first schedule runs in each environment; nothing if it runs alike in all of them."""
    changes = _of_first(group)
    if now is None or run_alike(changes.values()):
        return []
    return [InEnvironment(name, _runs_of(change, now), _often_of(change)) for name, change in changes.items()]


def _often(group: Group) -> Moved:
    """Return how often a schedule runs before and after; of several only what all of them have in common."""
    if len({tuple(map(_how_often, specs(change))) for change in group.all_changes}) > 1:
        rates = {tuple(map(_how_often, specs(change))) for change in _of_first(group).values()}
        return Moved(None, _BY_ENVIRONMENT if len(rates) > 1 else "each its own")
    return _often_of(group.first, " each" if len(group.members) > 1 else "")


def _often_of(change: Change, each: str = "") -> Moved:
    before, after = map(_how_often, specs(change))
    if change.row is None:
        return Moved(None, after and after + each)
    if change.kind == "release":
        return Moved(None, before and before + each)
    return Moved(None if before == after else before, f"{after or 'none'}{each if after else ''}")


def _how_often(spec: Spec | None) -> str | None:
    if spec is None:
        return None
    return how_often(spec) if spec.enabled else "none"
