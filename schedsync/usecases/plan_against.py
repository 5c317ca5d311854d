"""A plan against a snapshot: needs neither the database nor the application."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from schedsync.config import Config
from schedsync.core.change import Change
from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.core.schedule import Desired
from schedsync.lint import RULES, lint
from schedsync.lint.rule import Context, Options
from schedsync.planning.build import Surroundings, build_plan
from schedsync.planning.plan import Plan
from schedsync.planning.snapshot import Snapshot, check_set, masked_desired
from schedsync.usecases.target import Target, binding_of, desired_of, plan_request


def plan_against(target: Target, snapshot: Snapshot, now: datetime) -> Plan:
    """Compare the files with a snapshot of the database and of the application; needs neither.

    What the snapshot's workers do not know yet, and would be sent, heads the notices.
    """
    check_set(snapshot, target.config.set)
    reading, desired, findings = desired_of(target)
    wanted, surroundings = masked_desired(desired), Surroundings(snapshot.last, snapshot.dual_writers)
    request = plan_request(target, binding_of(target), snapshot.last)
    result = build_plan(request, wanted, findings, snapshot.observed, surroundings, now)
    context = Context(
        tuple(desired.schedules.values()), now, _about_the_application(target.config), snapshot.application
    )
    known = lint(context, reading.ignores)
    anew = _sent_anew(result.changes, desired)
    first = [one for one in known if one.code == "SS219" and one.location in anew]
    rest = [one for one in known if one not in first]
    return replace(result, notices=(*first, *rest, *_masked_notices(desired, wanted), *result.notices))


def _masked_notices(desired: Desired, wanted: Desired) -> Iterator[Finding]:
    for name, schedule in desired.schedules.items():
        if schedule.spec != wanted.schedules[name].spec:
            message = f"`{name}` holds what looks like a secret: whether that changes, a snapshot cannot tell"
            yield Finding("SS166", message, schedule.location, "a plan against the database tells", "info")


def _about_the_application(config: Config) -> Options:
    codes = tuple(rule.code for rule in RULES.values() if rule.needs_application and rule.chosen(config.lint))
    return replace(config.lint, select=codes, extend_select=())


def _sent_anew(changes: Sequence[Change], desired: Desired) -> set[Location]:
    """Return where the tasks stand that are sent for the first time, or by another name than before."""
    names = (one.name for one in changes if one.after and (one.row is None or _retargeted(one)))
    return {desired.schedules[name].at("task") for name in names}


def _retargeted(change: Change) -> bool:
    return any(one.field == "task" for one in change.fields)
