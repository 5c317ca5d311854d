"""From files and an observed state to a plan: the same steps, whether that state is a database's or a snapshot's.

Imports no Django.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from schedsync.calendar.stock_beat import celery_schedule
from schedsync.core.change import Create, Rename
from schedsync.core.finding import Finding
from schedsync.core.observed import Observed
from schedsync.core.origin import Ancestry, Binding
from schedsync.core.refusal import Limits
from schedsync.core.schedule import Desired
from schedsync.core.timing import Clocked, Timing
from schedsync.errors import WrongUsage
from schedsync.planning.consequences import with_consequences
from schedsync.planning.diff import Difference, diff
from schedsync.planning.plan import Plan
from schedsync.planning.safety import Situation, refusals


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What a plan is for: the set, where its files come from by what Git says, and what this call allows.

    ``ancestry`` compares the commit of ``binding`` with the one that was applied last.
    """

    set: str
    binding: Binding
    ancestry: Ancestry = field(default_factory=Ancestry)
    limits: Limits = field(default_factory=Limits)
    adopt: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What stands beside the rows: where the set was last applied from, and the names in CELERY_BEAT_SCHEDULE."""

    last: Binding | None = None
    dual_writers: frozenset[str] = frozenset()


def refused_by_celery(desired: Desired) -> list[Finding]:
    """Build Celery's real object for each timing, as Beat will; what it refuses is a finding."""
    says: dict[Timing, str | None] = {}
    for schedule in desired.schedules.values():
        timing = schedule.spec.timing
        if timing not in says:
            says[timing] = None if isinstance(timing, Clocked) else _celery_says(timing)
    return [
        Finding("SS138", f"Celery refuses this timing: {message}", schedule.location)
        for schedule in desired.schedules.values()
        if (message := says[schedule.spec.timing])
    ]


def _celery_says(timing: Timing) -> str | None:
    try:
        celery_schedule(timing)
    except Exception as error:
        return str(error).strip().partition("\n")[0]
    return None


def build_plan(
    request: PlanRequest,
    desired: Desired,
    findings: Sequence[Finding],
    observed: Observed,
    surroundings: Surroundings,
    now: datetime,
) -> Plan:
    """Return the plan that makes an observed state what the files want; raises WrongUsage where ``adopt`` is wrong.

    ``findings`` are those of the files; they become notices of the plan.
    """
    difference = diff(desired, observed, now, adopt=request.adopt)
    situation, warnings = _situation(request, desired, observed, difference, surroundings)
    return Plan(
        set=request.set,
        binding=request.binding,
        changes=tuple(with_consequences(change, observed, now) for change in difference.changes),
        observed=observed,
        now=now,
        held=difference.held,
        paused=difference.paused,
        completed=difference.completed,
        forgotten=difference.forgotten,
        agreed=difference.agreed,
        refusals=refusals(difference.changes, situation, request.limits),
        notices=(*findings, *warnings, *_completed_notices(desired, difference), *difference.notices),
        unchanged=difference.unchanged,
        places={name: (schedule.location, schedule.people) for name, schedule in desired.schedules.items()},
    )


def _situation(
    request: PlanRequest,
    desired: Desired,
    observed: Observed,
    difference: Difference,
    surroundings: Surroundings,
) -> tuple[Situation, list[Finding]]:
    """Return what the safety rules look at, and warnings where Git cannot tell."""
    _check_adopt(request, desired, observed)
    last, binding = surroundings.last, request.binding
    found = Situation(
        set=request.set,
        desired=len(desired.schedules),
        managed=sum(name in observed.rows for name in observed.ledger),
        taken=difference.taken,
        case_twins=_case_twins(difference, observed),
        dual_writers=surroundings.dual_writers,
        now=binding,
        last=last,
        older=request.ancestry.older,
    )
    return found, [*_uncomparable(last, binding, request.ancestry), *_written_by_both(found, desired, difference)]


def _uncomparable(last: Binding | None, now: Binding, age: Ancestry) -> Iterator[Finding]:
    if age.shallow:
        hint = "fetch more of the history: `fetch-depth: 0` in GitHub's checkout, `GIT_DEPTH: 0` in GitLab"
        message = "the clone is too shallow to tell whether this commit descends from the one last applied"
        yield Finding("SS162", message, hint=hint, severity="warning")
    if last and last.commit and not now.commit:
        message = f"commit {last.commit[:12]} was applied last, and these files are in no Git checkout to compare with"
        yield Finding(
            "SS162", message, hint="apply from a checkout, so that an old copy is refused", severity="warning"
        )


def _written_by_both(found: Situation, desired: Desired, difference: Difference) -> Iterator[Finding]:
    changed = {change.name for change in difference.changes}
    for name in sorted((set(desired.schedules) & set(found.dual_writers)) - changed):
        message = f"`{name}` stands in CELERY_BEAT_SCHEDULE too: Beat writes that back at its next start"
        yield Finding("SS306", message, desired.schedules[name].location, "remove it there", "warning")


def _check_adopt(request: PlanRequest, desired: Desired, observed: Observed) -> None:
    """Raise WrongUsage where a name to adopt is not in the files, or has no row to take over."""
    unknown = [name for name in request.adopt if name not in desired.schedules]
    if unknown:
        raise WrongUsage(f"--adopt: the files hold no schedule `{unknown[0]}`", hint="adopt what the files name")
    nothing = [name for name in request.adopt if name not in observed.rows and name not in observed.elsewhere]
    if nothing:
        raise WrongUsage(f"--adopt: there is no row `{nothing[0]}` to take over", hint="leave the flag out")


def _case_twins(difference: Difference, observed: Observed) -> tuple[tuple[str, str], ...]:
    created = [change.name for change in difference.changes if isinstance(change, (Create, Rename))]
    if not created:
        return ()
    going = {change.name for change in difference.changes if change.after is None}
    going |= {getattr(change, "old_name", change.name) for change in difference.changes if change.kind == "rename"}
    folded = {name.casefold(): name for name in observed.rows if name not in going}
    return tuple((name, twin) for name in created if (twin := folded.get(name.casefold())) and twin != name)


def _completed_notices(desired: Desired, difference: Difference) -> list[Finding]:
    """Return a warning for each schedule that can do nothing any more."""
    return [
        Finding("SS160", f"`{name}` is completed", desired.schedules[name].location, "drop it", "warning")
        for name in difference.completed
        if name in desired.schedules
    ]
