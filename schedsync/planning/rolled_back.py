"""What a rollback keeps: rolled-back forms take the place of what the files say, until the files say something new."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from schedsync.core.change import Change, Rename
from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.core.observed import Observed
from schedsync.core.rollback import RolledBack
from schedsync.core.schedule import Desired, Schedule, Spec, form
from schedsync.core.timing import instant, instant_text
from schedsync.planning.converter import checked_spec, location_document, location_from
from schedsync.planning.diff import Difference
from schedsync.planning.notices import folded

#: The place of a schedule that is in no file any more, and whose last place nobody knows.
_NOWHERE = Location("", 1, 1)


@dataclass(frozen=True, slots=True)
class Kept:
    """What is to be there while rollbacks last: ``lasting`` are those that do, ``over`` those that the files end."""

    desired: Desired
    lasting: tuple[RolledBack, ...] = ()
    over: tuple[RolledBack, ...] = ()


def keep(desired: Desired, observed: Observed) -> Kept:
    """Put the kept forms in the place of the rejected ones.

    A rollback is over where the files give its schedule another form than the rejected ones, or use the name that
    their rename had left. A damaged one lasts, and :func:`limited` leaves its schedule alone.
    """
    if not observed.rolled_back:
        return Kept(desired)
    lasting: list[RolledBack] = []
    over: list[RolledBack] = []
    for mark in observed.rolled_back.values():
        (lasting if _is_said(mark, desired) else over).append(mark)
    schedules = dict(desired.schedules)
    removed, kept_rows = dict(desired.removed), set(desired.kept_rows)
    for mark in lasting:
        if mark.is_damaged:
            continue
        said = schedules.pop(mark.name, None)
        if mark.kept is not None:
            schedules[mark.kept_name] = _kept_schedule(mark, mark.kept, said, observed)
            removed.pop(mark.kept_name, None)
            kept_rows.discard(mark.kept_name)
    result = replace(
        desired, schedules=dict(sorted(schedules.items())), removed=removed, kept_rows=frozenset(kept_rows)
    )
    return Kept(result, tuple(lasting), tuple(over))


def _is_said(mark: RolledBack, desired: Desired) -> bool:
    """Say whether the files still say what was rejected; of a damaged one nobody knows, and it lasts."""
    if mark.is_damaged:
        return True
    said = desired.schedules.get(mark.name)
    if mark.kept_name != mark.name and mark.kept_name in desired.schedules:
        return False
    return (said.spec if said is not None else None) in mark.rejected


def _kept_schedule(mark: RolledBack, spec: Spec, said: Schedule | None, observed: Observed) -> Schedule:
    managed = observed.ledger.get(mark.kept_name)
    if said is None:
        place = mark.location or (managed.location if managed is not None else None) or _NOWHERE
        people = managed.people if managed is not None else None
        kept = Schedule(mark.kept_name, spec, place)
        return kept if people is None else replace(kept, people=people)
    return Schedule(mark.kept_name, spec, said.location, said.people, ignore_changes=said.ignore_changes)


def limited(difference: Difference, only: Collection[str] | None, lasting: Sequence[RolledBack] = ()) -> Difference:
    """Return the part of a comparison that is about some names; None stands for all names.

    Damaged rollbacks among ``lasting`` leave their schedules out.
    """
    alone = frozenset(name for mark in lasting if mark.is_damaged for name in mark.names)
    if only is None and not alone:
        return difference

    def may(*names: str) -> bool:
        return alone.isdisjoint(names) and (only is None or names[0] in only)

    return Difference(
        changes=tuple(change for change in difference.changes if may(*_names(change))),
        held=tuple(held for held in difference.held if may(held.name)),
        completed=tuple(name for name in difference.completed if may(name)),
        paused=tuple(pause for pause in difference.paused if may(pause.name)),
        unchanged=difference.unchanged,
        name_conflicts=tuple(pair for pair in difference.name_conflicts if may(pair[0])),
        lost_rows=tuple(name for name in difference.lost_rows if may(name)),
        to_record=tuple(schedule for schedule in difference.to_record if may(schedule.name)),
        joined=tuple(pause for pause in difference.joined if may(pause.name)),
        removing=tuple(managed for managed in difference.removing if may(managed.name)),
        notices=difference.notices,
    )


def _names(change: Change) -> tuple[str, ...]:
    return (change.name, change.old_name) if isinstance(change, Rename) else (change.name,)


def without_kept(difference: Difference, lasting: Sequence[RolledBack]) -> int:
    """Return the number of unchanged schedules without those that a rollback keeps as they are."""
    elsewhere = {change.name for change in difference.changes} | {held.name for held in difference.held}
    elsewhere |= {pause.name for pause in difference.paused} | set(difference.completed)
    kept = sum(mark.kept is not None and mark.kept_name not in elsewhere for mark in lasting)
    return max(difference.unchanged - kept, 0)


def rolled_back_notices(lasting: Sequence[RolledBack], desired: Desired) -> Iterator[Finding]:
    """Yield a warning about the rolled-back schedules: an apply leaves them alone."""
    damaged = [_placed(mark, desired) for mark in lasting if mark.is_damaged]
    unreadable = "`{name}` is left alone: its rollback cannot be read in the table"
    many = "{count} schedules are left alone, because their rollbacks cannot be read in the table"
    yield from folded(
        "SS184", damaged, unreadable, many, "let their files count again: `schedsync rollback --end NAME`"
    )
    readable = [mark for mark in lasting if not mark.is_damaged]
    if not readable:
        return
    named, first = [_placed(mark, desired) for mark in readable], readable[0]
    one = f"`{{name}}` is rolled back by {first.who}, and left alone: {first.reason}"
    hint = "change what the files say, or let them count again: `schedsync rollback --end NAME`"
    yield from folded("SS184", named, one, "{count} schedules are rolled back, and left alone", hint)


def _placed(mark: RolledBack, desired: Desired) -> tuple[str, Location | None]:
    said = desired.schedules.get(mark.name)
    return mark.name, said.location if said is not None else mark.location


def rolled_back_document(mark: RolledBack) -> dict[str, Any]:
    """Return a rolled-back schedule as JSON values, as plans and audit records have it."""
    return {
        "name": mark.name,
        "kept_name": mark.kept_name if mark.kept is not None or mark.is_damaged else None,
        "reason": mark.reason,
        "who": mark.who,
        "since": instant_text(mark.since),
        "run": mark.run,
    }


def forms_of(mark: RolledBack) -> Mapping[str, Any]:
    """Return the rejected forms of a rolled-back schedule and the kept one as JSON values."""
    return {
        "rejected": [None if spec is None else form(spec) for spec in mark.rejected],
        "kept": None if mark.kept is None else form(mark.kept),
    }


def snapshot_document(mark: RolledBack, mask: Callable[[Spec], Spec]) -> dict[str, Any]:
    """Return a rolled-back schedule with its forms as JSON values, for a snapshot; ``mask`` hides their secrets."""
    hidden = replace(
        mark,
        rejected=tuple(None if spec is None else mask(spec) for spec in mark.rejected),
        kept=None if mark.kept is None else mask(mark.kept),
    )
    place = location_document(mark.location)
    document = rolled_back_document(mark) | {"kept_name": mark.kept_name}
    return {**document, **forms_of(hidden), "released": mark.released, "location": place}


def snapshot_mark_from(values: Mapping[str, Any]) -> RolledBack:
    """Read a rolled-back schedule of a snapshot back."""
    kept = values["kept"]
    return RolledBack(
        name=values["name"],
        rejected=tuple(None if form_ is None else checked_spec(form_) for form_ in values["rejected"]),
        kept=None if kept is None else checked_spec(kept),
        kept_name=values["kept_name"],
        reason=values["reason"],
        who=values["who"],
        since=instant(values["since"]),
        run=values["run"],
        released=values["released"],
        location=location_from(values["location"]),
    )
