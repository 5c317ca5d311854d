"""Which edits of the tables can be taken into the files, and whether edited files say exactly that and nothing else."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from schedsync.core.acceptance import Acceptance, NotAccepted, accept_command
from schedsync.core.change import Change, Create, Edit, FieldChange, Held, Rename
from schedsync.core.schedule import FIELDS, Desired, Schedule, Spec
from schedsync.planning.plan import Plan

#: Two specs by name: each field of the schedule has the value of one of them. None for no schedule.
Allowed = Mapping[str, tuple[Spec | None, Spec | None]]


def accept_line(drift: Plan, path: str | None = None) -> str | None:
    """Return the command line that takes a drift into the files; None where nothing of it can be taken."""
    edited = {change.name for change in drift.changes} | {held.name for held in drift.held}
    names = sorted(edited - _unlike_their_files(drift).keys())
    if not names:
        return None
    database = drift.database if drift.database != "default" else None
    return accept_command(names, drift.binding.environment, path, database)


def acceptances(drift: Plan, names: Collection[str]) -> Iterator[Acceptance | NotAccepted]:
    """Yield what is to be taken into the files of the managed schedules with these names, or why it is not.

    ``drift`` is the part of a plan that undoes somebody's edit. A schedule whose row nobody changed yields nothing,
    unless it is rolled back: its files do not say what the table holds.
    """
    changes = {change.name: change for change in drift.drifted}
    held = {each.name: each for each in drift.held}
    unlike_their_files = _unlike_their_files(drift)
    rolled_back = {name for mark in drift.rolled_back for name in mark.names}
    for name in sorted(names):
        is_edited = name in changes or name in held
        if name in unlike_their_files and (is_edited or name in rolled_back):
            yield NotAccepted(name, unlike_their_files[name])
        elif is_edited:
            yield _acceptance(drift, name, changes.get(name), held.get(name))


def _unlike_their_files(drift: Plan) -> Mapping[str, str]:
    """Return why edits of some schedules cannot be taken: the files do not say what was applied last.

    A file with a rejected form and an edit would be a new form, so that the next apply would bring the rejected one
    back.
    """
    waiting = "no file defines it any more, so it waits to be deleted; to keep it, define it again"
    back = (
        "it is rolled back, and the files still say what was rejected: revert them, or first `schedsync rollback --end`"
    )
    return {managed.name: waiting for managed in drift.removing} | {
        name: back for mark in drift.rolled_back for name in mark.names
    }


def _acceptance(drift: Plan, name: str, change: Change | None, held: Held | None) -> Acceptance | NotAccepted:
    by = (change.by if change is not None else None) or (held.by if held is not None else None)
    if isinstance(change, Create):
        return Acceptance(name, "remove", by=by)
    row = change.row if change is not None else drift.observed.rows.get(name)
    if row is None or row.spec is None:
        problem = f": {row.problems[0].message}" if row is not None and row.problems else ""
        return NotAccepted(name, f"its row is broken{problem}")
    changes = _changes(drift, name, change, held)
    fields = change.fields if change is not None else ()
    waiting = tuple(field.field for field in fields if field.cause == "files" and field.field != "name")
    new_name = _new_name(change)
    return Acceptance(
        name,
        "rename" if new_name else "edit",
        row,
        fields=tuple(each.field for each in changes),
        changes=changes,
        waiting=waiting,
        new_name=new_name,
        by=by,
    )


def _new_name(change: Change | None) -> str | None:
    """Return the name that somebody gave to a row by hand."""
    if not isinstance(change, Rename) or change.row is None:
        return None
    is_by_hand = any(field.field == "name" and field.cause != "files" for field in change.fields)
    return change.row.name if is_by_hand else None


def _changes(drift: Plan, name: str, change: Change | None, held: Held | None) -> tuple[FieldChange, ...]:
    """Return each field that somebody edited, with its value in the files before that in the table."""
    fields = change.fields if change is not None else ()
    edited = [
        FieldChange(field.field, field.after, field.before, field.cause)
        for field in fields
        if field.cause != "files" and field.field != "name"
    ]
    if held is not None:
        edited.append(FieldChange("enabled", True, False, "drift"))
    elif name in drift.observed.pauses:
        # The pause has disabled the row, and nobody else.
        edited = [field for field in edited if field.field != "enabled"]
    return tuple(edited)


def taken_by(acceptance: Acceptance, edits: Mapping[int, Edit]) -> Acceptance:
    """Return an acceptance of a row with who made it, where that is known."""
    return replace(acceptance, by=edits.get(acceptance.row.id)) if acceptance.row is not None else acceptance


def allowed_here(before: Desired, taken: Collection[Acceptance]) -> Allowed:
    """Return what the schedules may be in the environment whose table is accepted."""
    result: dict[str, tuple[Spec | None, Spec | None]] = {}
    for acceptance in taken:
        known = before.schedules.get(acceptance.name)
        spec = acceptance.spec(known.spec if known is not None else None)
        result |= {acceptance.name: (None, None), acceptance.name_after: (spec, spec)}
    return result


def allowed_elsewhere(before: Desired, taken: Collection[Acceptance], *, everywhere: bool) -> Allowed:
    """Return what they may be in another environment: as before, or ``everywhere`` with fields as they are here."""
    result: dict[str, tuple[Spec | None, Spec | None]] = {}
    for acceptance in taken:
        known = before.schedules.get(acceptance.name)
        spec = known.spec if known is not None else None
        if not everywhere:
            result[acceptance.name] = (spec, spec)
        elif known is not None or acceptance.kind == "add":
            here = acceptance.spec(spec)
            result |= {acceptance.name: (None, None), acceptance.name_after: (here, here if spec is None else spec)}
    return result


def _is_allowed(spec: Spec | None, allowed: tuple[Spec | None, Spec | None]) -> bool:
    one, other = allowed
    if spec is None or one is None or other is None:
        return spec is None and None in allowed
    return all(getattr(spec, name) in (getattr(one, name), getattr(other, name)) for name in FIELDS)


def unlike(before: Desired, after: Desired, allowed: Allowed) -> Iterator[str]:
    """Yield the names of the schedules that are not as they may be: unchanged, unless ``allowed`` has their specs."""
    for name in before.schedules.keys() | after.schedules.keys() | allowed.keys():
        was, will = before.schedules.get(name), after.schedules.get(name)
        if name not in allowed:
            if _compared(was) != _compared(will):
                yield name
        elif not _is_allowed(will.spec if will is not None else None, allowed[name]) or _differs(was, will):
            yield name
    if (before.removed.keys(), before.kept_rows) != (after.removed.keys(), after.kept_rows):
        yield from sorted(before.removed.keys() ^ after.removed.keys())


def _differs(was: Schedule | None, will: Schedule | None) -> bool:
    """Say whether two schedules differ in what no row holds."""
    return was is not None and will is not None and _besides(was) != _besides(will)


def _compared(schedule: Schedule | None) -> object:
    """Return a schedule without its place in a file."""
    return None if schedule is None else (schedule.spec, schedule.people, schedule.template, *_besides(schedule))


def _besides(schedule: Schedule) -> tuple[object, ...]:
    """Return what no row holds, and an edit of a row does not change."""
    return (
        replace(schedule.people, disabled_reason=None),
        schedule.edit_may_fire,
        schedule.adopt,
        schedule.adopt_from,
        schedule.ignore_changes,
    )
