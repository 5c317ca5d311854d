"""Brings a set back to an earlier state: a plan and an apply of their own, and a mark on each schedule that is back."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from schedsync.core.change import Change
from schedsync.core.finding import Finding
from schedsync.core.names import first_names
from schedsync.core.observed import Observed, Paused
from schedsync.core.origin import Binding
from schedsync.core.refusal import Refusal
from schedsync.core.selector import Selector
from schedsync.core.standing import Standing
from schedsync.database.actor import who
from schedsync.database.audit import last_binding
from schedsync.database.clock import now
from schedsync.database.controls import controls_in_settings
from schedsync.database.environment import refusals_of
from schedsync.database.faults import database_errors
from schedsync.database.lock import read_only_transaction
from schedsync.database.observe import observe
from schedsync.database.runs import VERBS, RunRecord, changed_since, changes_of, find_run, last_run
from schedsync.database.same_names import same_names
from schedsync.database.status import as_applied
from schedsync.database.transaction import WaitOptions
from schedsync.database.write_request import WriteRequest
from schedsync.errors import Failed, WrongUsage
from schedsync.planning.build import PlanRequest, Surroundings, build_plan
from schedsync.planning.consequences import with_consequences
from schedsync.planning.outcome import Outcome
from schedsync.planning.plan import Plan
from schedsync.planning.undo import DAMAGED, Stamp, Undo, undo_run
from schedsync.usecases.celery_settings import beat_schedule_names
from schedsync.usecases.earlier_commit import Earlier, earlier_files, undo_to
from schedsync.usecases.monitors import settle
from schedsync.usecases.sync import carry_out, request_of
from schedsync.usecases.target import Target

_NAMED = 5
#: Notices that ask for an edit of the files, which a rollback does not read.
_ABOUT_FILES = frozenset({"SS160", "SS161", "SS163", "SS177"})


@dataclass(frozen=True, slots=True)
class RollbackOrder:
    """What a call asks for.

    ``reference`` is the id of a run, the first digits of one, or a commit; None means the last apply of the set that
    changed something. ``path`` is PATH as it was given. ``reason`` is None where nothing will be written.
    """

    reference: str | None = None
    path: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class WayBack:
    """A rollback before it is carried out: its plan, and whether the state is that of a run or of a commit.

    ``done`` are names that are back already. ``run`` is the id that the rollback's own audit record gets.
    """

    plan: Plan
    run: uuid.UUID
    of: RunRecord | None = None
    commit: str | None = None
    done: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Start:
    """What is known before the tables are read: the run or the commit to go back to, and where the set came from."""

    record: RunRecord | None
    earlier: Earlier | None
    binding: Binding
    last: Binding


def way_back(target: Target, order: RollbackOrder) -> WayBack:
    """Return the way back, without writing anything.

    Raises WrongUsage where there is no such run or commit, or it is of another set, environment or verb; Failed where
    its record is damaged.
    """
    with database_errors(target.using):
        start = _start(target, order)
        documents = changes_of(target.using, start.record.id) if start.record is not None else []
        dual_writers, controls = beat_schedule_names(), controls_in_settings()
        stamp = Stamp(order.reason or "", who(), now(), str(uuid.uuid4()))
        with read_only_transaction(target.using):
            observed = observe(target.using, target.config.set)
            undo = _undo(start, documents, observed, stamp)
            same = same_names(target.using, undo.desired.schedules, observed.rows)
        surroundings = Surroundings(start.last, dual_writers, controls, same)
        plan = _plan(target, start, undo, observed, surroundings, stamp)
        refused = [*refusals_of(target.using, start.binding.environment), *_no_way(target.using, start, undo)]
    plan = replace(plan, database=target.using, refusals=(*refused, *plan.refusals))
    commit = start.earlier.commit if start.earlier is not None else None
    return WayBack(plan, uuid.UUID(stamp.run), start.record, commit, undo.done)


def rollback(
    target: Target,
    order: RollbackOrder,
    agree: Callable[[WayBack], bool],
    wait: WaitOptions,
    *,
    pinned: bool,
) -> Outcome | None:
    """Plan the way back, ask, and write it in one transaction; returns None where the answer was no.

    If the tables change before the lock is taken, everything is planned again; if ``pinned``, a plan that differs from
    the one that was agreed to raises Stale. Raises Refused where a safety rule refuses the plan, WrongUsage where
    :func:`way_back` does.
    """
    ways: list[WayBack] = []

    def planned() -> Plan:
        ways.append(way_back(target, order))
        return ways[-1].plan

    def request(plan: Plan) -> WriteRequest:
        way = ways[-1]
        notes = ({"kind": "reason", "text": order.reason or ""}, _of(way))
        # The files may have moved on: their places in the ledger stay.
        request = request_of(target, plan)
        return replace(request, verb="rollback", run=way.run, locations=None, reason=order.reason or None, notes=notes)

    outcome = carry_out(target, planned, lambda _plan: agree(ways[-1]), wait, request, pinned=pinned)
    if outcome is not None:
        named = target.config.chosen(target.environment)
        outcome = replace(outcome, monitors=settle(target.using, target.config.set, named, target.progress))
    return outcome


def _of(way: WayBack) -> dict[str, str]:
    of = {"run": str(way.of.id)} if way.of is not None else {"commit": way.commit or ""}
    return {"kind": "rollback_of", **of}


def _start(target: Target, order: RollbackOrder) -> _Start:
    set_name, named = target.config.set, target.config.chosen(target.environment)
    last = last_binding(target.using, set_name)
    record = last_run(target.using, set_name) if order.reference is None else find_run(target.using, order.reference)
    if record is not None:
        _check_run(record, set_name, named)
    elif order.reference is None:
        raise Failed(f"nothing to go back to: no apply of set `{set_name}` has changed anything")
    if last is None:
        raise Failed(f"nothing to go back to: set `{set_name}` was never applied")
    environment = named or (record.environment if record is not None else last.environment)
    if record is None and last.environment != environment:
        hint = f"give `-e {last.environment}`" if last.environment else "leave `--environment` out"
        raise WrongUsage(f"set `{set_name}` was last applied to {_environment(last.environment)}", hint=hint)
    target = replace(target, environment=environment)
    earlier = None if record is not None else earlier_files(target, order.reference or "", order.path, last)
    return _Start(record, earlier, replace(last, environment=environment), last)


def _check_run(record: RunRecord, set_name: str, environment: str | None) -> None:
    short = str(record.id)[:8]
    if record.set != set_name:
        hint = f"call it where set `{record.set}` is configured, or give its directory: `--path DIRECTORY`"
        raise WrongUsage(f"run {short} is of set `{record.set}`, and this is `{set_name}`", hint=hint)
    if record.verb not in VERBS:
        hint = "only runs of `apply` and `rollback` can be rolled back"
        hint = {"pause": "`schedsync resume` ends a pause"}.get(record.verb, hint)
        raise WrongUsage(f"run {short} is no apply: `{record.verb}`", hint=hint)
    if environment is not None and record.environment != environment:
        hint = f"give `-e {record.environment}`" if record.environment else "leave `--environment` out"
        raise WrongUsage(
            f"run {short} applied to {_environment(record.environment)}, not to `{environment}`", hint=hint
        )


def _environment(name: str | None) -> str:
    return f"environment `{name}`" if name else "no environment"


def _undo(start: _Start, documents: Sequence[object], observed: Observed, stamp: Stamp) -> Undo:
    if start.earlier is not None:
        return undo_to(start.earlier.desired, observed, stamp)
    try:
        return undo_run(documents, as_applied(observed), observed, stamp)
    except DAMAGED as error:
        hint = "roll back to a commit instead: `schedsync rollback COMMIT`"
        run = str(start.record.id)[:8] if start.record is not None else ""
        raise Failed(f"the changes of run {run} cannot be read", hint=hint) from error


def _plan(
    target: Target, start: _Start, undo: Undo, observed: Observed, surroundings: Surroundings, stamp: Stamp
) -> Plan:
    """Plan the way back by the same engine and the same rules as an apply."""
    only = undo.names if start.record is not None else None
    request = PlanRequest(target.config.set, start.binding, limits=target.limits, only=only)
    findings: Sequence[Finding] = start.earlier.findings if start.earlier is not None else ()
    # The kept forms of earlier rollbacks are in what is desired already.
    standing = (*observed.standing, *(_as_standing(pause) for pause in undo.pauses if not pause.ended(stamp.since)))
    before = replace(observed, rolled_back={}, standing=standing)
    plan = build_plan(request, undo.desired, findings, before, surroundings, stamp.since)
    if undo.ran:
        changes = (_with_last_run(change, undo) for change in plan.changes)
        plan = replace(plan, changes=with_consequences(changes, before, stamp.since))
    notices = tuple(notice for notice in plan.notices if notice.code not in _ABOUT_FILES)
    return replace(plan, observed=observed, marks=undo.marks, is_rollback=True, notices=notices)


def _as_standing(pause: Paused) -> Standing:
    """Return the pause of a deleted schedule as one that stands: the schedule comes under it again."""
    return Standing(Selector(frozenset({pause.name})), pause.reason, pause.who, pause.since, pause.until)


def _with_last_run(change: Change, undo: Undo) -> Change:
    ran = undo.ran.get(change.name)
    return change if ran is None or change.row is not None else replace(change, ran=ran)


def _no_way(using: str, start: _Start, undo: Undo) -> Iterable[Refusal]:
    """Yield why some schedules cannot go back to what they were before a run."""
    record = start.record
    if record is None:
        return
    short = str(record.id)[:8]
    if undo.moved_on:
        runs = changed_since(using, record, set(undo.moved_on))
        many = f"{len(undo.moved_on):,} schedules were" if len(undo.moved_on) > 1 else "1 schedule was"
        by = f" (run {runs})" if runs else ""
        message = f"{many} changed again since run {short}{by}: {first_names(undo.moved_on, _NAMED)}"
        yield Refusal("changed_since", message, "roll back the later run first, or go back to a commit")
    for holder in sorted({holder for _, holder in undo.taken_over}):
        names = [name for name, other in undo.taken_over if other == holder]
        message = f"run {short} took over {first_names(names, _NAMED)} from set `{holder}`"
        yield Refusal("taken_over", message, f"give them back: `schedsync ledger move NAME… --to {holder}`")
