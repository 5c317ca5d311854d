"""What a change of the files does in one environment, as a plan: with the earlier files in the place of the tables.

No database is asked, so what Beat keeps in the rows is assumed: that each schedule ran at its last slot.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache

from schedsync.calendar.load import Load, load_of, week_of
from schedsync.calendar.slots import last_slot
from schedsync.calendar.stock_beat import slots
from schedsync.calendar.words import when
from schedsync.core.change import Change, Consequence, Create, Delete
from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.core.observed import Managed, Observed, Row
from schedsync.core.origin import Binding
from schedsync.core.refusal import Refusal
from schedsync.core.schedule import Desired, Schedule, Spec, spec_text
from schedsync.core.timing import Crontab, Timing
from schedsync.planning.build import PlanRequest, Surroundings, build_plan, refused_by_celery
from schedsync.planning.consequences import with_consequences
from schedsync.planning.diff import diff
from schedsync.planning.plan import Plan
from schedsync.planning.safety import Situation, refusals
from schedsync.planning.snapshot import masked_desired
from schedsync.review.result import EnvironmentReview, Request
from schedsync.review.side import Side

#: With fewer others in the same minute nothing is said.
_CROWD = 5
_RENAMES_LOOKED_AT = 500


def compare_environment(
    request: Request,
    sides: tuple[Side, Side],
    desired: tuple[Desired, Desired],
    environment: str | None,
    now: datetime,
) -> tuple[EnvironmentReview, list[Finding]]:
    """Return what happens in one environment between two states, and findings about the change as a whole."""
    before, after = desired
    load = load_of(after.schedules.values(), week_of(now), slots)
    earlier = load_of(before.schedules.values(), week_of(now), slots) if request.pictures else load
    plan = _plan(request, sides, desired, environment, now)
    plan = replace(plan, changes=tuple(_with_crowd(change, load, after) for change in plan.changes))
    place = sides[1].place
    foretold = [*refused_by_celery(_compared(sides, desired, environment)[1])]
    foretold += [*_refused(plan.refusals, environment, place), *_renames(plan.changes)]
    foretold += _not_compared(sides, desired, environment)
    return EnvironmentReview(environment, plan, earlier, load), foretold


def configuration(before: Side, after: Side) -> Iterator[Finding]:
    """Yield what changes in the configuration, and changes what an apply does or lets pass."""
    if not before.there:
        return
    one, other, place = before.config, after.config, after.place
    said = [
        f"`{name}` goes from {getattr(one, name)} to {getattr(other, name)}"
        for name in ("max_stops", "max_stop_percent")
        if getattr(one, name) != getattr(other, name)
    ]
    said += [f"environment `{name}` is new" for name in other.environments if name not in one.environments]
    said += [f"environment `{name}` goes" for name in one.environments if name not in other.environments]
    for message in said:
        yield Finding("SS168", message, place, None, "warning")
    if one.set != other.set:
        message = (
            f"the set is `{other.set}` now: set `{one.set}` manages what it applied, and an apply would be refused"
        )
        yield Finding("SS168", message, place, f"keep `{one.set}`; or adopt each name, and empty the old set")


def _compared(
    sides: tuple[Side, Side], desired: tuple[Desired, Desired], environment: str | None
) -> tuple[dict[str, Schedule], Desired]:
    """Return what is left behind, and what is there instead; what did not change is the same object on both sides.

    What stands in a file with errors on one side, and is missing there, may be there all the same: it is left out.
    """
    before, after = desired
    left = {name: one for name, one in before.schedules.items() if after.schedules.get(name) is not one}
    come = {name: one for name, one in after.schedules.items() if before.schedules.get(name) is not one}
    for mine, others, broken in (
        (left, after.schedules, sides[1].broken(environment)),
        (come, before.schedules, sides[0].broken(environment)),
    ):
        for name in [name for name, one in mine.items() if name not in others and one.location.path in broken]:
            del mine[name]
    return left, Desired(come, after.removed)


def _not_compared(
    sides: tuple[Side, Side], desired: tuple[Desired, Desired], environment: str | None
) -> Iterator[Finding]:
    for number, when_ in ((1, "now"), (0, "before the change")):
        others = desired[number].schedules
        for path in sorted(sides[number].broken(environment)):
            missing = [one for one in desired[1 - number].schedules.values() if one.location.path == path]
            count = sum(one.name not in others for one in missing)
            if count:
                message = f"{count:,} of its schedules cannot be compared: the file has errors {when_}"
                yield Finding("SS167", message, Location(path, 1, 1), None, "warning" if number == 0 else "info")


def _plan(
    request: Request,
    sides: tuple[Side, Side],
    desired: tuple[Desired, Desired],
    environment: str | None,
    now: datetime,
) -> Plan:
    before, after = desired
    left, moved = _compared(sides, desired, environment)
    observed = _as_applied(left, now)
    difference = diff(moved, observed, now)
    situation = Situation(
        set=sides[1].config.set,
        desired=len(after.schedules),
        managed=len(before.schedules),
        now=Binding(environment, path=sides[1].path),
        last=_last(sides[0], environment),
    )
    broken = sides[1].broken(environment)
    return Plan(
        set=sides[1].config.set,
        binding=situation.now,
        changes=tuple(with_consequences(change, observed, now) for change in difference.changes),
        observed=observed,
        now=now,
        completed=difference.completed,
        # A set with errors is not applied at all.
        refusals=() if broken else _refusals(request, sides[1], after, difference.changes, situation, now),
        unchanged=difference.unchanged
        + sum(before.schedules.get(name) is one for name, one in after.schedules.items()),
    )


def _last(before: Side, environment: str | None) -> Binding | None:
    """Return where the set was last applied from, as far as the earlier files tell; None where it was not."""
    known = before.config.environments
    if not before.there or (known and environment not in known):
        return None
    return Binding(environment if known else None, path=before.path)


def _refusals(
    request: Request,
    side: Side,
    after: Desired,
    changes: Sequence[Change],
    situation: Situation,
    now: datetime,
) -> tuple[Refusal, ...]:
    """Return what an apply would be refused for: by the snapshot where it is of this environment, else by the files."""
    snapshot, limits = request.snapshot, side.config.limited(request.limits)
    environment = situation.now.environment
    if snapshot is None or (snapshot.last or situation.now).environment != environment:
        return refusals(changes, situation, limits)
    plan_request = PlanRequest(side.config.set, situation.now, limits=limits, adopt=request.adopt)
    around = Surroundings(snapshot.last, snapshot.dual_writers)
    return build_plan(plan_request, masked_desired(after), (), snapshot.observed, around, now).refusals


def _as_applied(schedules: Mapping[str, Schedule], now: datetime) -> Observed:
    """Return the tables as they are when these schedules were applied, and nobody touched them since."""
    rows, ledger = {}, {}
    for number, (name, one) in enumerate(schedules.items(), 1):
        rows[name] = Row(number, name, one.spec, last_run_at=_last_run(one.spec, now), date_changed=now)
        ledger[name] = Managed(name, "", number, spec_text(one.spec), one.location, one.people)
    return Observed(rows=rows, ledger=ledger)


def _last_run(spec: Spec, now: datetime) -> datetime | None:
    return _last_slot(spec.timing, now) if isinstance(spec.timing, Crontab) and not spec.one_off else None


@lru_cache(maxsize=16384)
def _last_slot(timing: Timing, now: datetime) -> datetime | None:
    return last_slot(timing, now) if isinstance(timing, Crontab) else None


def _with_crowd(change: Change, load: Load, desired: Desired) -> Change:
    """Say of a new or moved schedule with how many others it starts, in its worst minute of the week."""
    moves = change.row is None or {"timing", "enabled", "start_at"} & {one.field for one in change.fields}
    if change.after is None or not change.after.enabled or not moves:
        return change
    worst = load.busiest(desired.schedules[change.name], slots)
    if worst is None or worst[1] - 1 < _CROWD:
        return change
    message = f"starts together with {worst[1] - 1:,} others at {when(worst[0], change.after.timing)}"
    return replace(change, consequences=(*change.consequences, Consequence("collides", message, worst[0])))


def _refused(found: Sequence[Refusal], environment: str | None, place: Location | None) -> Iterator[Finding]:
    where = f" in {environment}" if environment else ""
    for refusal in found:
        yield Finding("SS164", f"an apply would be refused{where}: {refusal.message}", place, refusal.override)


def _renames(changes: Sequence[Change]) -> Iterator[Finding]:
    """Suggest ``renamed_from`` where what goes and what comes are alike."""
    going = [one for one in changes if isinstance(one, Delete) and one.row and one.row.spec]
    coming = [one for one in changes if isinstance(one, Create)]
    if len(going) + len(coming) > _RENAMES_LOOKED_AT:
        return
    for created in coming:
        alike = [one for one in going if one.row and one.row.spec and _alike(one.row.spec, created.after)]
        if len(alike) == 1:
            going.remove(alike[0])
            message = f"`{alike[0].name}` goes and `{created.name}` comes, and both do the same"
            hint = f"write `renamed_from: {alike[0].name}` to keep its row, its history and its last run"
            yield Finding("SS163", message, created.location, hint, "warning")


def _alike(one: Spec, other: Spec | None) -> bool:
    return other is not None and (one.task, one.args, one.kwargs) == (other.task, other.args, other.kwargs)
