"""The database use cases: plan, apply and drift; they only call the other rooms in order.

Plan and apply are one engine: apply writes the plan that was shown, after comparing the tables again behind the lock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from schedsync.core.change import Edit
from schedsync.core.finding import Finding
from schedsync.core.observed import Observed
from schedsync.core.origin import Binding
from schedsync.core.refusal import Refusal
from schedsync.core.watch import Settled
from schedsync.database.actor import who
from schedsync.database.admin_log import last_edits
from schedsync.database.apply_failures import forget_failure, note_failure, noted_failure
from schedsync.database.audit import last_binding
from schedsync.database.beats import last_number
from schedsync.database.clock import now
from schedsync.database.confirm import wait_for_beats, write_and_confirm
from schedsync.database.controls import controls_in_settings
from schedsync.database.environment import refusals_of
from schedsync.database.faults import database_errors
from schedsync.database.full_pause import full_pause
from schedsync.database.history_upkeep import tidy_history
from schedsync.database.lock import read_only_transaction
from schedsync.database.observe import observe
from schedsync.database.same_names import SameNames, same_names
from schedsync.database.transaction import WaitOptions
from schedsync.database.write_request import WriteRequest
from schedsync.errors import NotConfirmed, NotLoaded, Refused, Stale
from schedsync.git.origin import pull_request_of
from schedsync.planning.approval import Assertion
from schedsync.planning.build import PlanRequest, Surroundings, build_plan
from schedsync.planning.freezes import freeze_refusals, only_resumes
from schedsync.planning.outcome import Outcome
from schedsync.planning.plan import Plan, drift_only, names_of, row_id_of
from schedsync.usecases.alarms import tell_drift, tell_outcome, told_failure
from schedsync.usecases.applied_files import applied_files, keep_up_to_date
from schedsync.usecases.binding import bind_at_apply
from schedsync.usecases.break_glass import close_without_changes
from schedsync.usecases.celery_settings import beat_schedule_names
from schedsync.usecases.monitor_steps import with_monitor_drift, with_monitors
from schedsync.usecases.monitors import settle
from schedsync.usecases.registered_tasks import findings_of_files
from schedsync.usecases.saved_plan import asserted
from schedsync.usecases.sources import sources_in_settings
from schedsync.usecases.target import Files, Target, files_of, plan_request

_TRIES = 3
_NOTHING = Assertion()
#: Findings about names that some databases take for one.
_GUESSED = ("SS142", "SS147")


def plan(target: Target, *, asks_tasks: bool = False) -> Plan:
    """Compare the files with the database, without writing anything.

    ``asks_tasks`` imports the application's tasks, and names those in the files that it does not register.

    Raises InvalidSet where the files have errors or a source gives no values, WrongUsage where an environment must be
    chosen, Unavailable where the database does not answer or is not migrated, Stale where the set was applied again and
    again meanwhile.
    """
    files = files_of(target, sources_in_settings())
    dual_writers, controls = beat_schedule_names(), controls_in_settings()
    unregistered = findings_of_files(files, target.config, now()) if asks_tasks else []
    with database_errors(target.using):
        request, last, observed, same = _observe(target, files)
        surroundings = Surroundings(last, dual_writers, controls, same)
        findings = _unless_asked(files.findings, same)
        result = build_plan(request, files.desired, findings, observed, surroundings, now())
        if target.leaves_drift and result.drifted and _is_applied(last, result.binding):
            others = replace(request, only=frozenset(names_of(result.changes) - names_of(result.drifted)))
            left, result = result, build_plan(others, files.desired, findings, observed, surroundings, result.now)
            result = replace(result, left=left.drifted, held=left.held)
        result = replace(result, notices=(*unregistered, *result.notices), database=target.using)
        if elsewhere := refusals_of(target.using, result.binding.environment):
            result = replace(result, refusals=(*elsewhere, *result.refusals))
        pause = full_pause(target.using)
        if pause is not None and pause.is_on(result.now):
            result = replace(result, full_pause=pause)
        result = with_monitors(result, target.using)
        return _with_editors(target.using, result) if result.held else result


def _observe(target: Target, files: Files) -> tuple[PlanRequest, Binding | None, Observed, SameNames | None]:
    """Ask Git how the files relate to the last apply, then read the tables.

    Returns both, that last apply, and the names that the database takes for one. Git may be slow, so it is asked while
    no transaction is open, and again if the set was applied meanwhile.
    """
    using, set_name = target.using, target.config.set
    last = last_binding(using, set_name)
    for _ in range(_TRIES):
        asked, request = last, plan_request(target, files, last)
        with read_only_transaction(using):
            last, observed = last_binding(using, set_name), observe(using, set_name)
            same = same_names(using, files.desired.schedules, observed.rows)
        if last == asked:
            return request, last, observed, same
    raise Stale("the set was applied from another commit each time it was compared")


def _is_applied(last: Binding | None, binding: Binding) -> bool:
    """Say whether the last apply was of this commit."""
    return last is not None and last.commit == binding.commit and not last.dirty


def _unless_asked(findings: Sequence[Finding], same: SameNames | None) -> list[Finding]:
    """Return the findings without guesses at collations, where the database itself was asked."""
    return [finding for finding in findings if same is None or finding.code not in _GUESSED]


def _with_editors(using: str, plan: Plan) -> Plan:
    """Return a plan that names who disabled each held schedule."""
    return replace(plan, held=drift_only(plan, _edits(using, plan, [held.name for held in plan.held])).held)


def _edits(using: str, plan: Plan, names: Sequence[str]) -> dict[int, Edit]:
    rows = {name: row_id for name in names if (row_id := row_id_of(plan, name)) is not None}
    return last_edits(using, rows)


def told_drift(target: Target, note: Callable[[str], None]) -> Plan:
    """Return the drift, and send it as alarms; ``note`` gets a message if one is not sent."""
    found = drift(target)
    tell_drift(target, [change.name for change in found.changes], [held.name for held in found.held], note)
    return found


def drift(target: Target) -> Plan:
    """Return the part of a plan that undoes edits by others, and who made them where the admin's log has it."""
    current = plan(target)
    names = [change.name for change in current.drifted] + [held.name for held in current.held]
    with database_errors(target.using):
        found = drift_only(current, _edits(target.using, current, names))
    return with_monitor_drift(found, target.using)


def apply(
    target: Target,
    agree: Callable[[Plan], bool],
    wait: WaitOptions,
    assertion: Assertion = _NOTHING,
    *,
    pinned: bool = False,
    note: Callable[[str], None] = lambda _message: None,
) -> Outcome | None:
    """Plan, ask, and write, and bind the database to the environment if every live Beat names it too.

    Returns None where the answer was no.

    ``agree`` gets the plan and returns whether to go on. ``note`` gets a message if masked values were not compared,
    and how the database is bound. If the tables change before the lock is taken, everything is planned again; but with
    a checksum, or ``pinned`` to the plan that was agreed to, a different plan raises Stale. Raises Refused where a
    safety rule refuses the plan, or the ``assertion`` does not hold.
    """
    with told_failure(target, note), noted_failure(target.using, target.config.set):
        outcome = _applied(target, agree, wait, assertion, note, pinned=pinned)
    if outcome is not None:
        _note(target, outcome)
        tell_outcome(target, outcome, note)
        bind_at_apply(target.using, target.environment, note)
        outcome = replace(outcome, monitors=_settle(target))
        if outcome.run is not None:
            tidy_history(target.using, note)
    return outcome


def _settle(target: Target) -> Settled:
    return settle(target.using, target.config.set, target.environment, target.progress)


def _note(target: Target, outcome: Outcome) -> None:
    """Note for the metrics whether the apply did what it should."""
    if outcome.unconfirmed or not outcome.is_loaded:
        reason = NotConfirmed if outcome.unconfirmed else NotLoaded
        note_failure(target.using, target.config.set, reason.failure_reason)
    else:
        forget_failure(target.using, target.config.set)


def _applied(
    target: Target,
    agree: Callable[[Plan], bool],
    wait: WaitOptions,
    assertion: Assertion,
    note: Callable[[str], None],
    *,
    pinned: bool,
) -> Outcome | None:
    def planned() -> Plan:
        current = asserted(plan(target), assertion, note)
        if assertion.checksum is not None and current.checksum != assertion.checksum:
            raise Stale(f"its checksum is {current.checksum} now")
        return current

    def request(current: Plan) -> WriteRequest:
        request = request_of(target, current)
        return replace(request, files=applied_files(target, current), rollout=target.config.rollout)

    return carry_out(target, planned, agree, wait, request, pinned=pinned, unchanged=partial(keep_up_to_date, target))


def carry_out(
    target: Target,
    planned: Callable[[], Plan],
    agree: Callable[[Plan], bool],
    wait: WaitOptions,
    request: Callable[[Plan], WriteRequest],
    *,
    pinned: bool,
    unchanged: Callable[[Plan], None] = lambda _plan: None,
) -> Outcome | None:
    """Plan, ask and write; plan again where the tables change meanwhile. Returns None where the answer was no.

    ``unchanged`` gets a plan that writes nothing. If ``pinned``, a plan that differs from the one that was agreed to
    raises Stale. Raises Refused where a safety rule refuses the plan.
    """
    expected = None
    for attempt in range(_TRIES):
        current = planned()
        if expected is not None and current.checksum != expected:
            raise Stale(f"its checksum is {current.checksum} now")
        if not agree(current):
            return None
        if refused := current.refusals or _frozen_at(target, current, now()):
            raise Refused(refused)
        if not current.writes:
            close_without_changes(target.using, current.set)
            unchanged(current)
            return _nothing(target.using, current.checksum, wait)
        if pinned:
            expected = current.checksum
        try:
            return _write(request(current), wait)
        except Stale:
            if attempt == _TRIES - 1:
                raise
    return None


def _frozen_at(target: Target, plan: Plan, at: datetime) -> tuple[Refusal, ...]:
    """Return the refusal of a freeze that began after the plan was made: its reader was asked, or the lock was held."""
    if target.limits.allow_freeze or only_resumes(plan.changes, plan.observed, plan.now):
        return ()
    return freeze_refusals(target.limits, plan.binding.environment, at)


def _nothing(using: str, checksum: str, wait: WaitOptions) -> Outcome:
    """Return the outcome of an apply with nothing to write; waits for Beats that have not loaded the last change."""
    outcome = Outcome(checksum=checksum)
    if wait.beats <= 0:
        return outcome
    with database_errors(using):
        return wait_for_beats(using, last_number(using), outcome, wait)


def _write(request: WriteRequest, wait: WaitOptions) -> Outcome:
    with database_errors(request.using):
        return write_and_confirm(request, wait)


def _pull_request(target: Target, commit: str | None) -> str | None:
    if target.committed is not None:
        return target.committed.pull_request
    return pull_request_of(target.config.paths[0], commit)


def request_of(target: Target, plan: Plan) -> WriteRequest:
    """Return what the transaction of an apply writes."""
    return WriteRequest(
        using=target.using,
        verb="apply",
        set=plan.set,
        binding=plan.binding,
        checksum=plan.checksum,
        who=who(),
        now=plan.now,
        changes=plan.changes,
        expected=plan.fingerprint,
        lost_rows=plan.lost_rows,
        to_record=plan.to_record,
        locations=plan.locations,
        joined=plan.joined,
        lifted=plan.lifted,
        pull_request=_pull_request(target, plan.binding.commit),
        marks=plan.marks,
        refused_at=lambda at: (*target.fence(), *_frozen_at(target, plan, at)),
    )
