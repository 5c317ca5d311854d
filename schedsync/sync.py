"""The database use cases: plan, apply and drift. Here the steps meet, and nothing else is decided.

Plan and apply are one engine: what is written is what was planned, compared again behind the lock.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace

from schedsync.apply import Waiting, execute, now
from schedsync.consequences import with_consequences
from schedsync.core.change import Edit, Held, Observed
from schedsync.core.collecting import gc_paused
from schedsync.core.diff import diff
from schedsync.core.finding import Finding, has_errors
from schedsync.core.outcome import Outcome
from schedsync.core.plan import Plan, SavedPlan, drift_only, row_id_of
from schedsync.core.safety import refusals
from schedsync.core.schedule import Desired
from schedsync.core.timing import Clocked, Timing
from schedsync.errors import InvalidSet, Refused, Stale, WrongUsage
from schedsync.forecast import celery_schedule
from schedsync.ledger import Writing
from schedsync.lock import database_errors, snapshot
from schedsync.observe import edits, observe
from schedsync.reading import read_set, resolve_set
from schedsync.surroundings import Target, binding_of, completed_notices, situation_of, who

_TRIES = 3


@gc_paused()
def plan(target: Target) -> Plan:
    """Compare the files with the database; reads only.

    Raises InvalidSet where the files have errors, WrongUsage where an environment must be chosen, Unavailable where
    the database is not there or not migrated.
    """
    desired, findings = _desired(target)
    with database_errors(target.using), snapshot(target.using):
        return _planned(target, desired, findings, observe(target.using, target.config.set))


def _desired(target: Target) -> tuple[Desired, list[Finding]]:
    reading = read_set(target.config)
    environment = target.config.chosen(target.environment)
    if environment is None and reading.by_environment:
        known = ", ".join(target.config.environments)
        raise WrongUsage(
            "the files differ by environment, and none is chosen",
            hint="give `--environment`, or set SCHEDSYNC_ENVIRONMENT" + (f"; declared: {known}" if known else ""),
        )
    desired, findings = resolve_set(reading, environment)
    findings += _refused_by_celery(desired)
    if has_errors(findings):
        raise InvalidSet(findings)
    return desired, findings


def _refused_by_celery(desired: Desired) -> list[Finding]:
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


def _planned(target: Target, desired: Desired, findings: Sequence[Finding], observed: Observed) -> Plan:
    at, config = now(), target.config
    difference = diff(desired, observed, at, adopt=target.adopt)
    binding = binding_of(target)
    situation, warnings = situation_of(target, desired, observed, difference, binding)
    result = Plan(
        set=config.set,
        binding=binding,
        changes=tuple(with_consequences(change, observed, at) for change in difference.changes),
        observed=observed,
        now=at,
        held=difference.held,
        paused=difference.paused,
        completed=difference.completed,
        forgotten=difference.forgotten,
        agreed=difference.agreed,
        refusals=refusals(difference.changes, situation, target.limits),
        notices=(*findings, *warnings, *completed_notices(desired, difference), *difference.notices),
        unchanged=difference.unchanged,
        places={name: (schedule.location, schedule.people) for name, schedule in desired.schedules.items()},
    )
    return replace(result, held=_with_editors(target.using, result)) if result.held else result


def _with_editors(using: str, plan: Plan) -> tuple[Held, ...]:
    return drift_only(plan, _edits(using, plan, [held.name for held in plan.held])).held


def _edits(using: str, plan: Plan, names: Sequence[str]) -> dict[int, Edit]:
    rows = {name: row_id for name in names if (row_id := row_id_of(plan, name)) is not None}
    return edits(using, rows)


def drift(target: Target) -> Plan:
    """Return the part of a plan that undoes what somebody else did to the tables, with who did it where it is known."""
    current = plan(target)
    names = [change.name for change in current.drifted] + [held.name for held in current.held]
    with database_errors(target.using):
        return drift_only(current, _edits(target.using, current, names))


def apply(
    target: Target,
    agree: Callable[[Plan], bool],
    waiting: Waiting,
    *,
    checksum: str | None = None,
    pinned: bool = False,
) -> Outcome | None:
    """Plan, ask, and write; returns None where nobody agreed.

    ``agree`` is shown the plan and says whether to go on. With ``checksum``, or ``pinned`` to what was agreed to, a
    plan that has changed meanwhile is Stale; else what is there by then is planned and applied. Raises Refused where
    a safety rule says no.
    """
    expected = checksum
    for attempt in range(_TRIES):
        current = plan(target)
        if expected is not None and current.checksum != expected:
            raise Stale(f"its checksum is {current.checksum} now")
        if not agree(current):
            return None
        if current.refusals:
            raise Refused(current.refusals)
        if not current.writes:
            return Outcome(checksum=current.checksum)
        if pinned:
            expected = current.checksum
        try:
            return _execute(target, current, waiting)
        except Stale:
            if attempt == _TRIES - 1:
                raise
    return None


def _execute(target: Target, current: Plan, waiting: Waiting) -> Outcome:
    writing = Writing(
        using=target.using,
        verb="apply",
        set=current.set,
        binding=current.binding,
        checksum=current.checksum,
        who=who(),
        now=current.now,
        changes=current.changes,
        forgotten=current.forgotten,
        agreed=current.agreed,
        places=current.places,
        run=uuid.uuid4(),
    )
    with database_errors(target.using):
        return execute(writing, current.fingerprint, waiting)


def apply_saved(using: str, saved: SavedPlan, waiting: Waiting) -> Outcome:
    """Write a plan that was saved earlier, without reading the files again.

    Raises Refused where the plan holds refusals, Stale where the tables have changed since it was made.
    """
    if saved.refusals:
        raise Refused(saved.refusals)
    if not saved.changes and not saved.forgotten:
        return Outcome(checksum=saved.checksum)
    writing = Writing(
        using=using,
        verb="apply",
        set=saved.set,
        binding=saved.binding,
        checksum=saved.checksum,
        who=who(),
        now=now(),
        changes=saved.changes,
        forgotten=saved.forgotten,
        documents=saved.documents,
        run=uuid.uuid4(),
    )
    with database_errors(using):
        return execute(writing, saved.fingerprint, waiting)
