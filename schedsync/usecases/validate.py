"""Checks the files of a set; imports neither Django nor Celery."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from schedsync.config import Config
from schedsync.core.finding import Finding, in_order, naming_environments
from schedsync.core.schedule import Schedule
from schedsync.core.sources import no_sources
from schedsync.files.progress import Progress, silent
from schedsync.files.schedule_set import read_set, resolve_set
from schedsync.git.sparse import absent_files
from schedsync.lint import lint, lint_packages
from schedsync.lint.rule import Context
from schedsync.planning import controls
from schedsync.planning.allowances import ended
from schedsync.planning.freezes import never_end
from schedsync.planning.snapshot import Snapshot, check_set, masked_spec


@dataclass(frozen=True, slots=True)
class Validation:
    """The findings in a set, and the numbers of its files and schedules, those with errors among them."""

    findings: tuple[Finding, ...]
    files: int
    schedules: int


def validate(
    config: Config,
    environment: str | None,
    now: datetime,
    progress: Progress = silent,
    snapshot: Snapshot | None = None,
) -> Validation:
    """Check a set in one environment; where that is None, in every environment by which its schedules differ.

    A snapshot adds what the application knows, and the controls of its Django settings. Definitions that cannot be
    expanded without one are warnings.
    """
    if snapshot is not None:
        check_set(snapshot, config.set)
    files = read_set(config, progress, sources=snapshot.source if snapshot else no_sources, absent=absent_files(config))
    common = [*files.findings, *ended(config.allowances, now, config.place)]
    common += lint_packages(config.lint, files.ignores)
    chosen = [environment] if environment else config.environments or [None]
    common += never_end(config.freezes, chosen, now, config.place)
    by_environment: dict[str | None, list[Finding]] = {}
    application = snapshot.application if snapshot else None
    names: set[str] = set()
    for name in files.environments(config, environment):
        progress(f"checking {name}" if name else "checking")
        desired, of_environment = resolve_set(files, name)
        names |= {*desired.schedules, *files.invalid(name)}
        schedules = tuple(desired.schedules.values())
        findings = [definition.finding("warning") for definition in files.unexpanded(name)]
        findings += of_environment + lint(Context(schedules, now, config.lint, application), files.ignores)
        by_environment[name] = [*findings, *_not_allowed(schedules, config, snapshot)]
    findings = [*common, *naming_environments(by_environment).values()]
    return Validation(tuple(in_order(findings)), len(files.files), len(names))


def together(validations: Sequence[Validation]) -> Validation:
    """Return the findings and the numbers of several sets as one."""
    findings = in_order(finding for validation in validations for finding in validation.findings)
    files = sum(validation.files for validation in validations)
    return Validation(tuple(findings), files, sum(validation.schedules for validation in validations))


def _not_allowed(schedules: Sequence[Schedule], config: Config, snapshot: Snapshot | None) -> Iterator[Finding]:
    """Yield what breaks a control: a warning for what is applied already by the snapshot, else an error."""
    layers = [*([snapshot.controls] if snapshot else []), config.controls]
    applied = [schedule for schedule in schedules if snapshot and _is_applied(schedule, snapshot)]
    others = {schedule.name for schedule in schedules} - {schedule.name for schedule in applied}
    yield from controls.errors((schedule for schedule in schedules if schedule.name in others), layers)
    yield from controls.warnings(applied, layers)


def _is_applied(schedule: Schedule, snapshot: Snapshot) -> bool:
    managed = snapshot.observed.ledger.get(schedule.name)
    return managed is not None and managed.spec == masked_spec(schedule.spec)
