"""What a change of the files does in one environment, as a plan: with the earlier files in the place of the tables.

No database is asked, so what Beat keeps in the rows is assumed: that each schedule ran at its last slot.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from schedsync.calendar.load import Load, load_of
from schedsync.calendar.slots import last_slot
from schedsync.calendar.stock_beat import slots
from schedsync.calendar.window import Shape, shape_of, week_of
from schedsync.calendar.words import when
from schedsync.core.change import Change, Consequence, Rename
from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.core.observed import Managed, Observed, Row
from schedsync.core.origin import Binding
from schedsync.core.refusal import Refusal
from schedsync.core.schedule import Desired, Schedule, spec_text
from schedsync.core.timing import Crontab, Timing
from schedsync.planning import controls
from schedsync.planning.allowances import lift
from schedsync.planning.build import PlanRequest, Surroundings, build_plan, refused_by_celery
from schedsync.planning.consequences import with_consequences
from schedsync.planning.diff import diff
from schedsync.planning.freezes import frozen_now, never_end
from schedsync.planning.notices import folded, refusal_findings
from schedsync.planning.plan import Plan
from schedsync.planning.renames import renames
from schedsync.planning.safety import Situation, refusals
from schedsync.planning.snapshot import Snapshot, masked_desired
from schedsync.review.result import EnvironmentReview, Request
from schedsync.review.side import Side
from schedsync.review.unexpanded import countable

#: With fewer others in the same minute nothing is said.
_CROWD = 5


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
    plan, lifted = _plan(request, sides, desired, environment, now)
    plan = replace(plan, changes=tuple(_with_crowds(plan.changes, load, after)))
    place = sides[1].place
    foretold = [*refused_by_celery(_compared(sides, desired, environment)[1])]
    # What a control refuses has a finding at its own place.
    of_rules = (refusal for refusal in plan.refusals if refusal.schedule is None)
    foretold += [*lifted, *refusal_findings(of_rules, place), *renames(plan.changes)]
    foretold += _not_allowed(request, sides, after, environment, plan)
    broken_files, unknown = _not_compared(sides, desired, environment)
    foretold += [*unknown, *_takeovers(before, after)]
    foretold += _freezes(sides[1], environment, plan, now)
    return EnvironmentReview(environment, plan, earlier, load, broken_files=tuple(broken_files)), foretold


def _freezes(side: Side, environment: str | None, plan: Plan, now: datetime) -> Iterator[Finding]:
    """Yield when a change can be applied, if that is not now, and a freeze that never ends."""
    yield from never_end(side.config.freezes, [environment], now, side.place)
    if plan.changes:
        yield from frozen_now(side.config.freezes, environment, now, side.place)


def _compared(
    sides: tuple[Side, Side], desired: tuple[Desired, Desired], environment: str | None
) -> tuple[dict[str, Schedule], Desired]:
    """Return what is left behind, and what is there instead; what did not change is the same object on both sides.

    What stands in a file with errors on one side, and is missing there, may be there all the same: it is left out.
    """
    before, after = desired
    left = {name: old for name, old in before.schedules.items() if after.schedules.get(name) is not old}
    come = {name: new for name, new in after.schedules.items() if before.schedules.get(name) is not new}
    for mine, others, broken in (
        (left, after.schedules, sides[1].broken(environment)),
        (come, before.schedules, sides[0].broken(environment)),
    ):
        for schedule in list(mine.values()):
            if schedule.name not in others and schedule.location.path in broken:
                del mine[schedule.name]
    return left, replace(after, schedules=come)


def _not_compared(
    sides: tuple[Side, Side], desired: tuple[Desired, Desired], environment: str | None
) -> tuple[list[int], list[Finding]]:
    """Return for each changed file with errors how many schedules are not compared, and findings that say so."""
    counts: list[int] = []
    findings: list[Finding] = []
    changed = _changed_files(sides)
    for number, when_ in ((1, "now"), (0, "before the change")):
        others = desired[number].schedules
        for path in sorted(sides[number].broken(environment)):
            schedules = desired[1 - number].schedules.values()
            count = sum(each.location.path == path and each.name not in others for each in schedules)
            if not count and path not in changed:
                continue
            counts.append(count)
            message = f"{count:,} of its schedules cannot be compared: the file has errors {when_}"
            if not count:
                message = f"what it lost or gained is not known: the file has errors {when_}"
            # Where nothing is left behind, the errors that the file has now say enough.
            if count or number == 0:
                findings.append(Finding("SS167", message, Location(path, 1, 1), None, "info" if number else "warning"))
    return counts, findings


def _changed_files(sides: tuple[Side, Side]) -> set[str]:
    """Return the paths of the files that are not the same on both sides."""
    before, after = ({file.path: file.blob for file in side.reading.files} for side in sides)
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


def _takeovers(before: Desired, after: Desired) -> Iterator[Finding]:
    """Yield an alarm for each set whose schedules are taken over from now on."""
    taken: dict[str, list[tuple[str, Location | None]]] = {}
    for name, schedule in after.schedules.items():
        earlier = before.schedules.get(name)
        if schedule.adopt_from is not None and (earlier is None or earlier.adopt_from != schedule.adopt_from):
            taken.setdefault(schedule.adopt_from, []).append((name, schedule.location))
    for holder, named in taken.items():
        yield from folded(
            "SS176",
            named,
            f"`{{name}}` is taken over from set `{holder}`, which no longer manages its row then",
            f"{{count}} schedules are taken over from set `{holder}`, which no longer manages their rows then",
            f"the owners of set `{holder}` must agree, and remove it from their files",
        )


def _plan(
    request: Request,
    sides: tuple[Side, Side],
    desired: tuple[Desired, Desired],
    environment: str | None,
    now: datetime,
) -> tuple[Plan, list[Finding]]:
    """Return the plan, and findings about the refusals that the configuration lifts."""
    before, after = desired
    left, moved = _compared(sides, desired, environment)
    observed = _as_applied(left, now)
    difference = diff(moved, observed, now, grace=sides[1].config.grace)
    situation = Situation(
        set=sides[1].config.set,
        desired=len(after.schedules),
        managed=len(before.schedules),
        now=Binding(environment, path=sides[1].path),
        last=_last(sides[0], environment),
    )
    # A set with errors is not applied at all.
    broken = sides[1].broken(environment)
    refused, lifted = ((), []) if broken else _refusals(request, sides[1], after, difference.changes, situation, now)
    plan = Plan(
        set=sides[1].config.set,
        binding=situation.now,
        changes=tuple(_as_written(change, left) for change in with_consequences(difference.changes, observed, now)),
        observed=observed,
        now=now,
        completed=difference.completed,
        refusals=countable(refused, sides[1], environment),
        unchanged=difference.unchanged
        + sum(before.schedules.get(name) is new for name, new in after.schedules.items()),
    )
    return plan, lifted


def _as_written(change: Change, before: Mapping[str, Schedule]) -> Change:
    """Return a change that also knows how its schedule was written before."""
    old = before.get(change.old_name if isinstance(change, Rename) else change.name)
    if old is None:
        return change
    return replace(change, template=change.template or old.template, hashed=(old.hashed, change.hashed[1]))


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
) -> tuple[tuple[Refusal, ...], list[Finding]]:
    """Return what an apply would be refused for, and findings about the refusals that the configuration lifts.

    The snapshot decides where it is of this environment, else the files do.
    """
    snapshot = _snapshot_of(request, situation.now.environment)
    # A freeze says when a change goes out, not whether it may: see `_freezes`.
    limits = replace(side.config.limited(request.limits), freezes=())
    if snapshot is None:
        refused, lifted = lift(refusals(changes, situation, limits), limits, now, empty=not after.schedules)
        return (*refused, *controls.refused_changes(changes, [limits.controls])), lifted
    plan_request = PlanRequest(side.config.set, situation.now, limits=limits, adopt=request.adopt)
    surroundings = Surroundings.in_snapshot(snapshot)
    plan = build_plan(plan_request, masked_desired(after), (), snapshot.observed, surroundings, now)
    return plan.refusals, [notice for notice in plan.notices if notice.code == "SS170"]


def _snapshot_of(request: Request, environment: str | None) -> Snapshot | None:
    """Return the snapshot if it is of this environment, or of none that is known."""
    snapshot = request.snapshot
    if snapshot is None or (snapshot.last is not None and snapshot.last.environment != environment):
        return None
    return snapshot


def _not_allowed(
    request: Request, sides: tuple[Side, Side], after: Desired, environment: str | None, plan: Plan
) -> Iterator[Finding]:
    """Yield, at its place, each control that the change breaks, and each that an apply would be refused for."""
    snapshot = _snapshot_of(request, environment)
    layers = [*([snapshot.controls] if snapshot else []), sides[1].config.controls]
    refusals = (*plan.refusals, *controls.refused_changes(plan.changes, layers))
    names = {refusal.schedule for refusal in refusals}
    yield from controls.errors((each for each in after.schedules.values() if each.name in names), layers)


def _as_applied(schedules: Mapping[str, Schedule], now: datetime) -> Observed:
    """Return the tables as they are when these schedules were applied, and nobody touched them since."""
    rows, ledger = {}, {}
    timings = {timing for each in schedules.values() if isinstance(timing := each.spec.timing, Crontab)}
    last_slots: dict[Timing, datetime | None] = {timing: last_slot(timing, now) for timing in timings}
    for number, (name, schedule) in enumerate(schedules.items(), 1):
        spec = schedule.spec
        last_run = None if spec.one_off else last_slots.get(spec.timing)
        rows[name] = Row(number, name, spec, last_run_at=last_run)
        ledger[name] = Managed(name, "", number, spec_text(spec), schedule.location, schedule.people)
    return Observed(rows=rows, ledger=ledger)


def _with_crowds(changes: Iterable[Change], load: Load, desired: Desired) -> Iterator[Change]:
    """Say of each new or moved schedule with how many others it starts, in its worst minute of the week."""
    worst: dict[Shape, tuple[datetime, int] | None] = {}
    for change in changes:
        moves = change.row is None or {"timing", "enabled", "start_at"} & {field.field for field in change.fields}
        if change.after is None or not change.after.enabled or not moves:
            yield change
            continue
        shape = shape_of(desired.schedules[change.name], load.window)
        if shape not in worst:
            worst[shape] = load.busiest(shape, slots)
        yield _with_crowd(change, change.after.timing, worst[shape], load.window.start)


def _with_crowd(change: Change, timing: Timing, worst: tuple[datetime, int] | None, now: datetime) -> Change:
    if worst is None or worst[1] - 1 < _CROWD:
        return change
    message = f"starts together with {worst[1] - 1:,} others at {when(worst[0], timing, now)}"
    return replace(change, consequences=(*change.consequences, Consequence("collides", message, worst[0])))
