"""Foretells what an apply does to monitors, and finds what somebody did to them at the services."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from schedsync.core.finding import Finding
from schedsync.core.watch import Step, Wanted, digest_of
from schedsync.database.faults import database_errors
from schedsync.database.full_pause import everything_is_paused
from schedsync.database.monitors import managed_elsewhere, read_recorded
from schedsync.errors import WrongUsage
from schedsync.monitors.service import ServiceError
from schedsync.monitors.settings import services
from schedsync.planning.monitors import Known, against_service, steps, unmanaged_after, wanted_after, wanted_now
from schedsync.planning.plan import Plan

if TYPE_CHECKING:
    from schedsync.monitors.service import Service


def with_monitors(plan: Plan, using: str) -> Plan:
    """Return a plan with the steps that its apply takes at the services; no service is asked.

    Without services in the settings, or with settings that are not valid, there are none.
    """
    try:
        found = services()
    except WrongUsage:
        # Planning goes on: doctor and apply name the mistake.
        return plan
    if not found:
        return plan
    with database_errors(using):
        wanted = wanted_after(plan, everything_paused=everything_is_paused(using))
        every = read_recorded(using)
        known = Known(managed_elsewhere(using, plan.set) if every else (), unmanaged_after(plan))
    rows = {each.row_id for each in wanted}
    recorded = [record for record in every if record.set == plan.set or record.row_id in rows]
    planned = [
        step
        for service in found
        for step in steps(
            service.name,
            wanted,
            [record for record in recorded if record.service == service.name],
            partial(_digest, service),
            known,
        )
    ]
    return replace(plan, monitors=tuple(step for step in planned if step.kind != "forget"))


def with_monitor_drift(plan: Plan, using: str) -> Plan:
    """Return drift with the monitors that somebody deleted or changed at the services.

    Each service lists its monitors once. One that does not answer is a warning among the notices.
    """
    try:
        found = services()
    except WrongUsage as error:
        return replace(plan, notices=(*plan.notices, _warning(error.message)), monitors=())
    with database_errors(using):
        paused = everything_is_paused(using)
        wanted = wanted_now(plan.observed, plan.set, plan.binding.environment, everything_paused=paused)
        recorded = read_recorded(using) if found and wanted else []
    drifted: list[Step] = []
    notices = list(plan.notices)
    for service in found:
        ours = [record for record in recorded if record.service == service.name and record.remote_id and record.digest]
        if not ours:
            continue
        try:
            seen = {each.id: each for each in service.listed()}
        except ServiceError as error:
            notices.append(_warning(f"the monitors at {service.name} were not compared: {error}"))
            continue
        pending = steps(service.name, wanted, ours, partial(_digest, service))
        drifted += against_service(pending, wanted, ours, seen, service.differs)
    return replace(plan, notices=tuple(notices), monitors=tuple(drifted))


def _digest(service: Service, wanted: Wanted) -> str:
    return digest_of(service.body(wanted))


def _warning(message: str) -> Finding:
    return Finding("SS345", message, severity="warning")
