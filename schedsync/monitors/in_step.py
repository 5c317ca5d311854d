"""Brings the monitors at the services into step with the schedules, and notes in our table what was done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from schedsync.core.names import counted
from schedsync.core.watch import Failure, Kind, Recorded, Seen, Settled, Step, Wanted, digest_of
from schedsync.database import monitors as table
from schedsync.database.clock import now
from schedsync.database.faults import database_errors
from schedsync.database.full_pause import everything_is_paused
from schedsync.database.observe import observe
from schedsync.monitors.service import ServiceAway, ServiceError
from schedsync.monitors.settings import services
from schedsync.planning.monitors import (
    Known,
    against_service,
    steps,
    unmanaged_rows,
    wanted_now,
)

if TYPE_CHECKING:
    from schedsync.monitors.service import Service

#: The table is written after each 50 changes: a crash then loses what is known of fewer.
_FLUSH = 50
#: Nothing was done, and nothing is to be said.
SILENT = Settled({})


def bring_into_step(
    using: str,
    set_name: str,
    environment: str | None,
    progress: Callable[[str], None] = lambda _step: None,
    only: Collection[str] | None = None,
) -> Settled:
    """Make, change and delete the monitors of a set's schedules; with ``only`` just change those of these schedules.

    Returns what was done, and what a service could not be told. Raises a SchedsyncError for the settings and the
    database.
    """
    with database_errors(using):
        if not table.has_any(using, set_name):
            return SILENT
    found = services()
    with database_errors(using):
        wanted, recorded, known = _read(using, set_name, environment)
        if not wanted and not recorded:
            return SILENT
        if not found:
            failure = Failure("", "", f"SCHEDSYNC_MONITORS names no service for {counted(len(wanted), 'monitor')}")
            return Settled({}, (failure,) if wanted and only is None else ())
        done: Counter[Kind] = Counter()
        failures: list[Failure] = []
        waiting = 0
        for service in found:
            progress(f"bringing the monitors at {service.name} into step")
            ours = [record for record in recorded if record.service == service.name]
            at_service = _AtService(using, service, wanted, ours, known)
            at_service.run(only)
            done.update(at_service.done)
            failures += at_service.failures
            waiting += at_service.waiting
    return Settled(done, tuple(failures), waiting)


def _read(using: str, set_name: str, environment: str | None) -> tuple[list[Wanted], list[Recorded], Known]:
    observed = observe(using, set_name)
    wanted = wanted_now(observed, set_name, environment, everything_paused=everything_is_paused(using))
    rows = {each.row_id for each in wanted}
    every = table.read_recorded(using)
    recorded = [record for record in every if record.set == set_name or record.row_id in rows]
    elsewhere = table.managed_elsewhere(using, set_name) if recorded else set()
    return wanted, recorded, Known(elsewhere, unmanaged_rows(observed))


class _AtService:
    """The work at one service: what was done, what failed, and what waits."""

    def __init__(
        self, using: str, service: Service, wanted: Sequence[Wanted], recorded: list[Recorded], known: Known
    ) -> None:
        self.using, self.service, self.wanted, self.known = using, service, wanted, known
        self.records = {record.pk: record for record in recorded}
        self.done: Counter[Kind] = Counter()
        self.failures: list[Failure] = []
        self.waiting = 0
        self._changed: set[int] = set()
        self._gone: list[int] = []
        self._muted = {each.row_id for each in wanted if each.muted and each.row_id is not None}

    def run(self, only: Collection[str] | None) -> None:
        """Do what is to be done; with ``only`` just changes of these schedules, without asking what is there."""
        planned = steps(self.service.name, self.wanted, self.records.values(), self._digest, self.known)
        if only is not None:
            planned = [step for step in planned if step.kind == "change" and step.name in only]
            self._carry_out(planned)
            return
        try:
            seen = {each.id: each for each in self.service.listed()}
        except ServiceError as error:
            self._give_up(error, planned)
            self._flush()
            return
        planned += against_service(planned, self.wanted, self.records.values(), seen, self.service.differs)
        self._carry_out(self._begun(planned, seen))

    def _digest(self, wanted: Wanted) -> str:
        return digest_of(self.service.body(wanted))

    def _begun(self, planned: Sequence[Step], seen: Mapping[str, Seen]) -> list[Step]:
        """Return the steps, with a record for each monitor that is new: one that is there already is taken over."""
        by_slug = {each.slug: each for each in seen.values()}
        owners = self._owners()
        ready: list[Step] = []
        new: list[tuple[Wanted, str, bool]] = []
        for step in planned:
            wanted = step.wanted
            if wanted is None:
                ready.append(step)
                continue
            slug = self.service.slug(wanted.name)
            if owners[slug] != wanted.row_id:
                self._refuse(step, f"the slug `{slug}` is that of another schedule too: rename one of them")
            elif step.kind == "change":
                ready.append(step)
            elif (there := by_slug.get(slug)) and there.mark not in ("", self.service.mark(wanted)):
                self._refuse(step, f"the slug `{slug}` is that of another set or environment ({there.mark})")
            else:
                ready.append(step)
                if step.recorded is None:
                    new.append((wanted, slug, there is None or bool(there.mark)))
        begun = {record.row_id: record for record in table.begin(self.using, self.service.name, new, now())}
        self.records |= {record.pk: record for record in begun.values()}
        return [self._found(step, begun, by_slug) for step in ready]

    def _owners(self) -> dict[str, int | None]:
        """Return which row each slug is for: of two names with one slug, the one that has it already."""
        has = {record.row_id: record.slug for record in self.records.values() if record.remote_id}
        slugs = [(self.service.slug(each.name), each.row_id) for each in self.wanted]
        owners = {slug: row_id for slug, row_id in slugs if has.get(row_id or 0) == slug}
        for slug, row_id in slugs:
            owners.setdefault(slug, row_id)
        return owners

    def _found(self, step: Step, begun: Mapping[int, Recorded], by_slug: Mapping[str, Seen]) -> Step:
        """Return the step of a new monitor with its record; as a change if the service has the monitor already."""
        if step.kind != "create" or step.wanted is None:
            return step
        record = step.recorded or begun.get(step.wanted.row_id or 0)
        there = by_slug.get(self.service.slug(step.wanted.name))
        if record is None:
            return step
        if there is None:
            return step._replace(recorded=replace(record, remote_id="", made=True))
        # Somebody who deletes a monitor and makes another one owns that.
        made = record.made and not (record.remote_id and not there.mark)
        return step._replace(kind="change", recorded=replace(record, remote_id=there.id, made=made))

    def _carry_out(self, planned: Sequence[Step]) -> None:
        try:
            for number, step in enumerate(planned):
                try:
                    self._do(step)
                except ServiceAway as error:
                    self._give_up(error, planned[number:])
                    return
                except ServiceError as error:
                    self._refuse(step, str(error))
                if len(self._changed) >= _FLUSH:
                    self._flush()
        finally:
            self._flush()

    def _do(self, step: Step) -> None:
        record, wanted = step.recorded, step.wanted
        if record is None:
            return
        if wanted is None:
            if step.kind == "delete" and record.remote_id:
                self.service.delete(record.remote_id)
            self._gone.append(record.pk)
        else:
            remote_id = record.remote_id
            if step.kind == "create":
                remote_id = self.service.make(wanted)
            else:
                self.service.change(remote_id, wanted)
            self._note(record, wanted, remote_id=remote_id, digest=self._digest(wanted), error="")
        self.done[step.kind] += 1

    def _note(self, record: Recorded, wanted: Wanted, *, remote_id: str, digest: str, error: str) -> None:
        self.records[record.pk] = replace(
            record,
            row_id=wanted.row_id or record.row_id,
            set=wanted.set,
            name=wanted.name,
            slug=self.service.slug(wanted.name),
            remote_id=remote_id,
            digest=digest,
            error=error,
        )
        self._changed.add(record.pk)

    def _refuse(self, step: Step, message: str) -> None:
        """Note that one monitor could not be brought into step; the next apply tries again."""
        self.failures.append(Failure(self.service.name, step.name, message))
        self.waiting += 1
        if step.recorded is not None:
            self._wait(step.recorded, message)

    def _give_up(self, error: ServiceError, left: Sequence[Step]) -> None:
        """Leave steps to the next apply, because the service does not answer."""
        self.failures.append(Failure(self.service.name, "", str(error)))
        self.waiting += len(left)
        for step in left:
            if step.kind == "change" and step.recorded is not None:
                self._wait(step.recorded, str(error))

    def _wait(self, record: Recorded, error: str) -> None:
        self.records[record.pk] = replace(self.records[record.pk], digest="", error=error)
        self._changed.add(record.pk)

    def _flush(self) -> None:
        changed = [self.records[pk] for pk in sorted(self._changed)]
        self._changed.clear()
        table.write_recorded(self.using, changed, self._muted, now())
        table.forget(self.using, self._gone)
        self._gone.clear()
