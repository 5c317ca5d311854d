"""What a change will do to the running system, as far ahead as Beat's hour window reaches.

The plan and the apply ask the same function which ``last_run_at`` a change writes, so they cannot disagree. No Django.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from operator import attrgetter

from schedsync.calendar.slots import runs_a_day
from schedsync.calendar.stock_beat import RELOAD, WRITE_BACK, Run, guard, next_run, next_slot, sun_slot
from schedsync.calendar.words import times, when
from schedsync.core.change import Change, Consequence, Delete, Release, Rename
from schedsync.core.observed import Observed, Row
from schedsync.core.schedule import Spec, differing
from schedsync.core.timing import Clocked, Interval, Solar, moment, zone_of
from schedsync.planning.plan import names_of
from schedsync.planning.removal import consequences_of_removal

#: Edits of these can make Beat fire for a slot of the past.
GUARDED = frozenset({"timing", "enabled", "start_at"})

#: An edit that makes a schedule run this many times as often is an alarm.
ALARMING_RISE = 10


def last_run_for(change: Change, now: datetime) -> datetime | None:
    """Return the ``last_run_at`` that a change must write so that no slot of the past fires; None where none is needed.

    Only a new or renamed row, or an edit of timing, ``enabled`` or start may move it; an edit of arguments never does.
    """
    if change.after is None or not _may_move_last_run(change):
        return None
    if change.row is None and change.ran is not None:
        last, count = change.ran
        made = Row(0, change.name, change.after, last, count, date_changed=now)
        return guard(change.after, made, now) or last
    row = replace(change.row, total_run_count=0) if change.row and change.rearm else change.row
    if row is not None and row.last_run_at is not None and row.last_run_at > now:
        # An earlier apply wrote it to guard a future start; this edit may have moved that start.
        return _from_now(change.after, replace(row, last_run_at=now), now)
    return None if change.edit_may_fire else guard(change.after, row, now)


def _from_now(spec: Spec, row: Row, now: datetime) -> datetime:
    if spec.start_at is not None and spec.start_at > now and isinstance(spec.timing, Interval):
        return spec.start_at - timedelta(microseconds=spec.timing.microseconds)
    return guard(spec, row, now) or now


def _may_move_last_run(change: Change) -> bool:
    if change.after is None:
        return False
    if change.row is None:
        # Beat runs a new row without a start at its next slot, never before.
        return change.after.start_at is not None or change.ran is not None
    if change.row.spec is None or change.rearm or isinstance(change, Rename):
        return True
    return not GUARDED.isdisjoint(differing(change.row.spec, change.after))


def with_consequences(changes: Iterable[Change], observed: Observed, now: datetime) -> tuple[Change, ...]:
    """Return the changes with their consequences under stock Beat, if they are applied at ``now``."""
    of_new: dict[Hashable, tuple[Consequence, ...]] = {}

    def follows(change: Change) -> tuple[Consequence, ...]:
        if (decides := _decides(change)) is None:
            return tuple(_consequences(change, now))
        if decides not in of_new:
            of_new[decides] = tuple(_consequences(change, now))
        return of_new[decides]

    return tuple(
        replace(
            change,
            consequences=(
                *follows(change),
                *consequences_of_removal(change, observed, now),
                *_endings(change, observed),
            ),
        )
        for change in changes
    )


def _decides(change: Change) -> Hashable:
    """Return the values that decide what follows from a new schedule; None for another change."""
    spec = change.after
    if change.row is not None or spec is None or change.ran is not None:
        return None
    return type(change), *_DECIDES(spec), change.edit_may_fire, change.rearm


_DECIDES = attrgetter("timing", "enabled", "start_at", "expires_at", "one_off")


def _endings(change: Change, observed: Observed) -> Iterator[Consequence]:
    if not observed.elsewhere and not isinstance(change, (Delete, Release)):
        return
    pause = observed.pauses.get(change.name)
    holders = {observed.elsewhere.get(name) for name in names_of([change])} - {None}
    if isinstance(change, Delete) and pause is not None:
        yield Consequence("pause_ends", f"its pause by {pause.who} ends: {pause.reason}")
    if isinstance(change, Release):
        stays = ", its row stays as it is" if change.after is None else ""
        yield Consequence("no_longer_managed", f"no longer managed{stays}")
        if pause is not None:
            message = f"its pause by {pause.who} ends, but the row stays disabled: {pause.reason}"
            yield Consequence("pause_ends", message)
    for holder in sorted(filter(None, holders)):
        yield Consequence("taken_over", f"set `{holder}` no longer manages it, and must remove it from its files")


def _consequences(change: Change, now: datetime) -> Iterator[Consequence]:
    if isinstance(change, Release):
        return
    before = _run_before(change, now)
    if change.after is None or not change.after.enabled:
        yield from _stopping(change, before, now)
        return
    moved = last_run_for(change, now)
    after = _run_after(change, moved, now)
    if change.rearm:
        yield Consequence("rearmed", "has run, and will run once more")
    yield from _next(change, before, after, now)
    if moved is not None and moved <= now and not _is_restored(change, moved):
        yield Consequence(
            "past_slot_skipped", "does not catch up on the run that it has missed (`edit_may_fire: false`)"
        )
        yield from _restored(change, now)
    yield from _frequency(change)


def _is_restored(change: Change, moved: datetime) -> bool:
    """Say whether a row that is made again has its own last run, so that it catches up on nothing."""
    return change.ran is not None and change.ran.last_run_at == moved


def _run_before(change: Change, now: datetime) -> Run | None:
    row = change.row
    return next_run(row.spec, row, now, hour=row.hour) if row and row.spec else None


def _run_after(change: Change, moved: datetime | None, now: datetime) -> Run | None:
    row, after = change.row, change.after
    if after is None:
        return None
    if row is None:
        row = Row(0, change.name, None, last_run_at=moved, date_changed=now)
        return next_run(after, row, now)
    if moved is not None:
        row = replace(row, last_run_at=moved, date_changed=now)
    if change.rearm:
        row = replace(row, total_run_count=0)
    same_timing = row.spec is not None and row.spec.timing == after.timing
    return next_run(after, row, now, hour=row.hour if same_timing else None)


def runs_around(change: Change, now: datetime, count: int = 3) -> tuple[tuple[datetime, ...], tuple[datetime, ...]]:
    """Return the next runs by the row as it is, and after the change if it is applied at ``now``; in UTC.

    Each has at most ``count`` runs, and none if the schedule is disabled, is not there, or never runs.
    """
    before = _run_before(change, now)
    spec = change.after if change.after is not None and change.after.enabled else None
    after = _run_after(change, last_run_for(change, now), now) if spec is not None else None
    return _from_run(change.row.spec if change.row else None, before, count), _from_run(spec, after, count)


def _from_run(spec: Spec | None, first: Run | None, count: int) -> tuple[datetime, ...]:
    if spec is None or first is None:
        return ()
    runs = [first.at]
    while len(runs) < count and not (spec.one_off or isinstance(spec.timing, Clocked)):
        solar = isinstance(spec.timing, Solar)
        following = sun_slot(spec.timing, runs[-1]) if solar else next_slot(spec.timing, runs[-1])
        if following is None or (spec.expires_at is not None and following >= spec.expires_at):
            break
        runs.append(following)
    return tuple(runs)


def _stopping(change: Change, before: Run | None, now: datetime) -> Iterator[Consequence]:
    row = change.row
    if row is None or row.spec is None or not row.spec.enabled:
        return
    at = before.at if before and _is_known(row) else None
    would = f"; its next run at {when(at, row.spec.timing, now)} will not happen" if at else ""
    yield Consequence("stops", f"stops{would}", at)


def _is_known(row: Row | None) -> bool:
    """Say whether the next run of a row is known: an interval counts from a run or from the row's last save."""
    spec = row.spec if row is not None else None
    if row is None or spec is None or not isinstance(spec.timing, Interval):
        return True
    return row.last_run_at is not None or row.date_changed is not None or spec.start_at is not None


def _frequency(change: Change) -> Iterator[Consequence]:
    spec, row = change.after, change.row
    if spec is None or spec.one_off:
        return
    before = row.spec if row is not None else None
    if before is None or before.one_off:
        yield Consequence("frequency", f"runs {times(spec.timing)}")
    elif text := times(spec.timing, before.timing):
        rise = runs_a_day(spec.timing) / (runs_a_day(before.timing) or 1)
        if rise >= ALARMING_RISE:
            yield Consequence("more_often", f"runs {rise:,.0f} times as often: {text} (SS222)")
        else:
            yield Consequence("frequency", f"runs {text}")


def _next(change: Change, before: Run | None, after: Run | None, now: datetime) -> Iterator[Consequence]:
    spec = change.after
    if spec is None:
        return
    if after is None:
        yield Consequence("never_runs", "will never run")
    elif after.late and not _was_due_anyway(change, before, after):
        yield _late(spec, after, now)
    elif before is None:
        yield Consequence("first_run", f"first run {_at(after, spec, now)}", after.at)
    elif _is_known(change.row) and (was := before.at.replace(microsecond=0)) != after.at.replace(microsecond=0):
        message = f"next run moves from {_without_zone(was, after.at, spec, now)} to {when(after.at, spec.timing, now)}"
        yield Consequence("next_run_moves", message, after.at, before.at)


def _without_zone(was: datetime, will: datetime, spec: Spec, now: datetime) -> str:
    """Write an instant that stands before another of the same zone; with the zone where both would look alike."""
    zone = zone_of(spec.timing)
    text = moment(was, zone, now)
    return text if text != moment(will, zone, now) else when(was, spec.timing, now)


def _was_due_anyway(change: Change, before: Run | None, after: Run) -> bool:
    """Say whether the run was missed while Beat was down: it still happens, and the edit did not cause it."""
    row, spec = change.row, change.after
    untouched = row is not None and row.spec is not None and spec is not None and row.spec.timing == spec.timing
    return untouched and before is not None and before.late and before.at == after.at


def _late(spec: Spec, after: Run, now: datetime) -> Consequence:
    if after.at <= now:
        following = _following(spec, now, now)
        return Consequence("fires_at_once", f"fires at once, for a slot that has passed{following}", after.at)
    minutes = int(RELOAD.total_seconds() // 60)
    message = (
        f"fires at {when(after.at, spec.timing, now)} or up to {minutes} minutes later, for a slot that has passed"
    )
    return Consequence("fires_late", message + _following(spec, after.at, now), after.at)


def _following(spec: Spec, after: datetime, now: datetime) -> str:
    if isinstance(spec.timing, Clocked) or spec.one_off:
        return ""
    following = next_slot(spec.timing, after)
    if spec.expires_at is not None and following >= spec.expires_at:
        return ""
    return f"; then at {when(following, spec.timing, now)}"


def _at(run: Run, spec: Spec, now: datetime) -> str:
    if run.at <= now + timedelta(seconds=1):
        return "at once"
    # Beat looks for the slot after the start; it finds the start itself when it next reads all rows.
    late = ", or up to 5 minutes later" if run.at == spec.start_at else ""
    return f"at {when(run.at, spec.timing, now)}{late}"


def _restored(change: Change, now: datetime) -> Iterator[Consequence]:
    """Warn where stock Beat may write back a run from before the change, and then fire for a slot since that run."""
    row, spec = change.row, change.after
    if row is None or row.spec is None or spec is None or not row.spec.enabled or isinstance(row.spec.timing, Clocked):
        return
    ran = next_slot(row.spec.timing, now - WRITE_BACK)
    if ran <= now and next_slot(spec.timing, ran) <= now:
        yield Consequence(
            "may_restore_run",
            "stock Beat writes a run to the table up to 3 minutes later; "
            "if it does so now, it fires at once for a slot since that run",
        )
