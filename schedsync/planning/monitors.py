"""Which monitors the schedules of a set shall have, and what is to be done at a service for that."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from schedsync.core.change import Delete, Release, Rename
from schedsync.core.monitor import monitor_in, unwatchable
from schedsync.core.observed import Observed
from schedsync.core.schedule import Spec
from schedsync.core.watch import Recorded, Seen, Step, Wanted
from schedsync.planning.plan import Plan


class Known(NamedTuple):
    """What is known of rows: those that other sets manage, and those of the table that nobody does."""

    elsewhere: Collection[int] = ()
    unmanaged: Collection[int] = ()


NOTHING_KNOWN = Known()


def wanted_now(
    observed: Observed, set_name: str, environment: str | None, *, everything_paused: bool = False
) -> list[Wanted]:
    """Return the monitors that the managed schedules shall have as they are, by name.

    All of them are muted while everything is paused.
    """
    specs = {
        name: (managed.row_id, *_spec(observed, name))
        for name, managed in observed.ledger.items()
        if managed.row_id is not None
    }
    return _wanted(specs, set_name, environment, everything_paused)


def wanted_after(plan: Plan, *, everything_paused: bool = False) -> list[Wanted]:
    """Return the monitors that the schedules shall have once a plan is applied, by name."""
    observed = plan.observed
    specs: dict[str, tuple[int | None, Spec | None, bool]] = {
        name: (managed.row_id, *_spec(observed, name)) for name, managed in observed.ledger.items()
    }
    for name in plan.lost_rows:
        specs.pop(name, None)
    for change in plan.changes:
        specs.pop(change.old_name if isinstance(change, Rename) else change.name, None)
    for change in plan.changes:
        if not isinstance(change, (Delete, Release)) and change.after is not None:
            specs[change.name] = (change.row.id if change.row else None, change.after, change.after.enabled)
    return _wanted(specs, plan.set, plan.binding.environment, everything_paused)


def _spec(observed: Observed, name: str) -> tuple[Spec | None, bool]:
    """Return what a managed schedule is, and whether it runs; of a row that is gone or broken, what was applied."""
    row, managed = observed.rows.get(name), observed.ledger[name]
    row = row or observed.find(name, managed.row_id)
    if row is None or row.spec is None:
        return managed.spec, False
    applied = managed.spec
    if unwatchable(row.spec.timing, one_off=row.spec.one_off) and applied is not None:
        # Somebody gave the row a timing that no service knows; the next apply heals it.
        return applied, False
    return row.spec, row.spec.enabled


def _wanted(
    specs: Mapping[str, tuple[int | None, Spec | None, bool]],
    set_name: str,
    environment: str | None,
    everything_paused: bool,
) -> list[Wanted]:
    found = []
    for name, (row_id, spec, runs) in sorted(specs.items()):
        monitor = None if spec is None else monitor_in(spec.monitor)
        if spec is not None and monitor is not None and not unwatchable(spec.timing, one_off=spec.one_off):
            muted = everything_paused or not runs
            found.append(Wanted(row_id, name, set_name, environment, spec.timing, monitor, muted))
    return found


def unmanaged_rows(observed: Observed) -> set[int]:
    """Return the ids of rows that no set manages: their monitors stay at the services, and are no longer ours."""
    known = {managed.row_id for managed in observed.ledger.values()}
    return {row.id for name, row in observed.rows.items() if row.id not in known and name not in observed.elsewhere}


def unmanaged_after(plan: Plan) -> set[int]:
    """Return the same for the rows that are there once a plan is applied."""
    deleted = {change.row.id for change in plan.changes if isinstance(change, Delete) and change.row}
    released = {change.row.id for change in plan.changes if isinstance(change, Release) and change.row}
    return (unmanaged_rows(plan.observed) | released) - deleted


def steps(
    service: str,
    wanted: Sequence[Wanted],
    recorded: Iterable[Recorded],
    digest: Callable[[Wanted], str],
    known: Known = NOTHING_KNOWN,
) -> list[Step]:
    """Return what is to be done at a service by what our table knows: deletes first, then changes, then creates.

    ``recorded`` are the monitors of the set at the service, and those of the wanted rows in any set.
    """
    by_row = {record.row_id: record for record in recorded}
    matched: dict[int, Recorded] = {}
    for number, each in enumerate(wanted):
        if each.row_id in by_row:
            matched[number] = by_row.pop(each.row_id)
    # A row that was deleted by hand and made again has another id.
    by_name = {record.name: record for record in by_row.values()}
    for number, each in enumerate(wanted):
        if number not in matched and each.name in by_name:
            matched[number] = by_name.pop(each.name)
            by_row.pop(matched[number].row_id, None)
    gone = [_gone(service, record, known) for record in by_row.values() if record.row_id not in known.elsewhere]
    found = [
        _of_wanted(service, each, matched.get(number))
        for number, each in enumerate(wanted)
        if number not in matched or not _is_done(matched[number], each, digest)
    ]
    order = ("forget", "delete", "change", "create")
    return sorted([*gone, *found], key=lambda step: (order.index(step.kind), step.name))


def _gone(service: str, record: Recorded, known: Known) -> Step:
    keeps = not record.made or record.row_id in known.unmanaged
    return Step("forget" if keeps else "delete", service, record.name, None, record)


def _is_done(record: Recorded, wanted: Wanted, digest: Callable[[Wanted], str]) -> bool:
    return bool(record.remote_id) and record.digest == digest(wanted)


def _of_wanted(service: str, wanted: Wanted, record: Recorded | None) -> Step:
    if record is None or not record.remote_id:
        return Step("create", service, wanted.name, wanted, record)
    reason = f"was `{record.name}`" if record.name != wanted.name else ""
    return Step("change", service, wanted.name, wanted, record, reason)


def against_service(
    planned: Sequence[Step],
    wanted: Sequence[Wanted],
    recorded: Iterable[Recorded],
    seen: Mapping[str, Seen],
    differs: Callable[[Seen, Wanted], bool],
) -> list[Step]:
    """Return the steps that undo what somebody did at a service, to monitors that no planned step is about."""
    busy = {step.name for step in planned if step.wanted is not None}
    by_row = {record.row_id: record for record in recorded}
    found = []
    for each in wanted:
        record = by_row.get(each.row_id or 0)
        if each.name in busy or record is None:
            continue
        there = seen.get(record.remote_id)
        if there is None:
            found.append(Step("create", record.service, each.name, each, record, "deleted at the service"))
        elif differs(there, each):
            found.append(Step("change", record.service, each.name, each, record, "changed at the service"))
    return found
