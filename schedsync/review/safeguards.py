"""What protects a set, and whether a change weakens it: its configuration, and keys of its schedules (SS168)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from schedsync.core.controls import KEYS, controls_document
from schedsync.core.finding import Finding
from schedsync.core.freeze import Freeze
from schedsync.core.location import Location
from schedsync.core.names import first_names
from schedsync.core.removing import grace_text
from schedsync.core.schedule import Desired, Schedule
from schedsync.planning.notices import NAMES_SHOWN
from schedsync.review.shown import CHANGED_SAFEGUARD
from schedsync.review.side import Side


def configuration(before: Side, after: Side, now: datetime) -> Iterator[Finding]:
    """Yield what changes in the configuration, and changes what an apply does or lets pass."""
    yield from _allowances(before, after, now)
    if not before.there:
        return
    old, new, place = before.config, after.config, after.place
    if not before.config_known:
        message = "the configuration before the change cannot be read, so what protects the set is not compared"
        yield Finding(CHANGED_SAFEGUARD, message, place, None, "warning")
    values, now_values = controls_document(old.controls), controls_document(new.controls)
    messages = [
        f"`{name}` changes from {getattr(old, name)} to {getattr(new, name)}{what} that one apply may stop"
        for name, what in (("max_stops", " schedules"), ("max_stop_percent", " % of the schedules"))
        if getattr(old, name) != getattr(new, name)
    ]
    messages += [
        f"`[safety] {name}` changes from {_shown(values[name])} to {_shown(now_values[name])}"
        for name in KEYS
        if values[name] != now_values[name]
    ]
    messages += _grace(old.grace, new.grace)
    messages += _approvals(old.approvals, new.approvals)
    messages += _freezes(old.freezes, new.freezes)
    messages += [f"environment `{name}` is new" for name in new.environments if name not in old.environments]
    messages += [f"environment `{name}` is removed" for name in old.environments if name not in new.environments]
    for message in messages:
        yield Finding(CHANGED_SAFEGUARD, message, place, None, "warning")
    if old.set != new.set:
        message = f"the set is `{new.set}` now: set `{old.set}` manages what it applied, and an apply would be refused"
        yield Finding(CHANGED_SAFEGUARD, message, place, f"keep `{old.set}`; or adopt each name, and empty the old set")


def _allowances(before: Side, after: Side, now: datetime) -> Iterator[Finding]:
    """Yield the refusals that the configuration lifts, or lifts no longer; an entry that has ended lifts nothing."""
    old = set(before.config.allowances) if before.there else set()
    new = set(after.config.allowances)
    for text, entries in (("is new, it lifts", new - old), ("is removed, it lifted", old - new)):
        for entry in sorted((each for each in entries if not each.ended(now)), key=str):
            yield Finding(
                CHANGED_SAFEGUARD, f"an entry of `[[safety.allow]]` {text} {entry}", after.place, None, "warning"
            )


def _freezes(old: Sequence[Freeze], new: Sequence[Freeze]) -> Iterator[str]:
    """Yield each freeze of which a window is gone or shorter; a longer or a new one weakens nothing."""
    for freeze in (each for each in old if not any(other.covers(each) for other in new)):
        changed = next((each for each in new if each.starts == freeze.starts), None)
        if changed is None:
            yield f"an entry of `[[freeze]]` is removed or moved, it froze {freeze}"
        else:
            yield f"an entry of `[[freeze]]` holds less: it froze {freeze}; now {changed}"


def _grace(old: timedelta | None, new: timedelta | None) -> Iterator[str]:
    """Yield that the grace is shorter, or gone; a longer or a new one weakens nothing."""
    if old is None or (new is not None and new >= old):
        return
    was = f"`[prune] grace` was {grace_text(old)}"
    now = "and is removed: what waits is deleted by the next apply" if new is None else f"and is {grace_text(new)} now"
    yield f"{was}, {now}"


def _approvals(old: Mapping[str, Sequence[str]], new: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield what changes about who must approve; an owner that is named for the first time weakens nothing."""
    for owner in (owner for owner in old if sorted(old[owner]) != sorted(new.get(owner, ()))):
        now = _shown(new[owner]) if owner in new else "nobody"
        yield f"`[approvals]`: changes of `{owner}` are approved by {now} instead of {_shown(old[owner])}"


def _shown(value: str | Sequence[str] | None) -> str:
    if value is None:
        return "no limit"
    return f"`{value}`" if isinstance(value, str) else ", ".join(f"`{each}`" for each in value) or "nothing"


class Guarantees:
    """The guarantees of single schedules that a change takes away, each once for all environments.

    ``approvals`` are the owners whose schedules nobody may change without an approval.
    """

    def __init__(self, approvals: Collection[str] = ()) -> None:
        self._approvals = approvals
        # By message: the places by name, and the environments by name.
        self._found: dict[str, dict[str, Location]] = {}
        self._where: dict[tuple[str, str], list[str | None]] = {}
        self._environments: list[str | None] = []

    def compare(self, before: Desired, after: Desired, environment: str | None) -> None:
        """Look at the schedules of one environment."""
        self._environments.append(environment)
        for name, new in after.schedules.items():
            old = before.schedules.get(name) or before.schedules.get(new.renamed_from or "")
            if old is not new:
                for message, key in (*_weakened(old, new), *_reowned(old, new, self._approvals)):
                    self._found.setdefault(message, {}).setdefault(name, new.at(key))
                    self._where.setdefault((message, name), []).append(environment)

    def findings(self) -> Iterator[Finding]:
        """Yield one finding for all schedules that lose the same guarantee in the same environments."""
        for message, places in self._found.items():
            by_environments: dict[tuple[str | None, ...], list[str]] = {}
            for name in places:
                by_environments.setdefault(tuple(self._where[message, name]), []).append(name)
            for environments, names in by_environments.items():
                is_everywhere = len(environments) == len(self._environments)
                finding = _finding(message, names, [places[name] for name in names])
                yield finding if is_everywhere else replace(finding, environments=tuple(filter(None, environments)))


def reowned(before: Desired, after: Desired) -> dict[str, frozenset[str]]:
    """Return the owners before and after of each schedule that differs in a key that makes no change of its row."""
    owners: dict[str, frozenset[str]] = {}
    for name, new in after.schedules.items():
        old = before.schedules.get(name)
        if old is not None and old is not new and _quiet(old) != _quiet(new):
            owners[name] = frozenset(filter(None, (old.people.owner, new.people.owner)))
    return owners


def _quiet(schedule: Schedule) -> tuple[str | None, bool, frozenset[str]]:
    return schedule.people.owner, schedule.edit_may_fire, schedule.ignore_changes


def _finding(message: str, names: Sequence[str], places: Sequence[Location]) -> Finding:
    if len(names) == 1:
        return Finding(CHANGED_SAFEGUARD, message.replace("{names}", f"`{names[0]}`", 1), places[0], None, "warning")
    place = places[0] if len(set(places)) == 1 else Location(places[0].path, 1, 1)
    shown = message.replace("{names}", f"{len(names):,} schedules", 1)
    return Finding(
        CHANGED_SAFEGUARD, f"{shown}: {first_names(names, NAMES_SHOWN)}", place, None, "warning", tuple(names)
    )


def _weakened(old: Schedule | None, new: Schedule) -> Iterator[tuple[str, str]]:
    """Yield messages with `{names}` for the schedule, and the key at fault."""
    if new.edit_may_fire and not (old and old.edit_may_fire):
        yield "from now on an edit may make {names} fire at once: `edit_may_fire: true`", "edit_may_fire"
    ignored_before = old.ignore_changes if old else frozenset()
    if added := sorted(new.ignore_changes - ignored_before):
        yield f"Git no longer decides {_listed(added)} of {{names}}: `ignore_changes`", "ignore_changes"
    if gone := sorted(ignored_before - new.ignore_changes):
        message = f"Git decides {_listed(gone)} of {{names}} again, so an apply overwrites other values in the table"
        yield message, "ignore_changes"


def _reowned(old: Schedule | None, new: Schedule, approvals: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield a message where a schedule leaves an owner who protects it."""
    was, now = old.people.owner if old else None, new.people.owner
    if was != now and was in approvals:
        shown = f"`{now}`" if now is not None else "nobody"
        yield f"the owner of {{names}} changes from `{was}` to {shown}: changes of `{was}` need an approval", "owner"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
