"""Plans against a snapshot instead of the database, so that it needs neither the database nor the application."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from schedsync.config import Config
from schedsync.core.change import Change
from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.core.schedule import Desired
from schedsync.lint import all_rules, lint
from schedsync.lint.rule import Context, Options
from schedsync.planning.build import Surroundings, build_plan
from schedsync.planning.notices import folded
from schedsync.planning.plan import Plan
from schedsync.planning.snapshot import Snapshot, check_set, masked_desired
from schedsync.usecases.target import Target, files_of, plan_request


def plan_against(target: Target, snapshot: Snapshot, now: datetime) -> Plan:
    """Compare the files with a snapshot of the database and of the application.

    The notices begin with the tasks that would be sent although the snapshot's workers do not know them.
    """
    check_set(snapshot, target.config.set)
    files = files_of(target, snapshot.source)
    desired = files.desired
    wanted, surroundings = masked_desired(desired), Surroundings.in_snapshot(snapshot)
    request = plan_request(target, files, snapshot.last)
    result = build_plan(request, wanted, files.findings, snapshot.observed, surroundings, now)
    context = Context(
        tuple(desired.schedules.values()), now, _about_the_application(target.config), snapshot.application
    )
    about_application = lint(context, files.set.ignores)
    newly_sent = _newly_sent(result.changes, desired)
    first = [finding for finding in about_application if finding.code == "SS219" and finding.location in newly_sent]
    rest = [finding for finding in about_application if finding not in first]
    return replace(result, notices=(*first, *rest, *_masked_notices(desired, wanted), *result.notices))


def _masked_notices(desired: Desired, wanted: Desired) -> Iterator[Finding]:
    yield from folded(
        "SS166",
        [(name, each.location) for name, each in desired.schedules.items() if each.spec != wanted.schedules[name].spec],
        "`{name}` seems to hold a secret, which the snapshot masks: this plan cannot compare it",
        "{count} schedules seem to hold a secret, which the snapshot masks: this plan cannot compare them",
        "plan against the database to compare it",
        "info",
    )


def _about_the_application(config: Config) -> Options:
    codes = tuple(rule.code for rule in all_rules().values() if rule.needs_application and rule.chosen(config.lint))
    return replace(config.lint, select=codes, extend_select=())


def _newly_sent(changes: Sequence[Change], desired: Desired) -> set[Location]:
    """Return where the files name a task that a schedule sends for the first time."""
    names = (change.name for change in changes if change.after and (change.row is None or _retargeted(change)))
    return {desired.schedules[name].at("task") for name in names}


def _retargeted(change: Change) -> bool:
    return any(field.field == "task" for field in change.fields)
