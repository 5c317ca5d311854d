"""The schedules of a set in each of its environments, from the files alone."""

from __future__ import annotations

from collections.abc import Mapping

from schedsync.config import Config
from schedsync.core.finding import Finding, has_errors
from schedsync.core.listing import Matrix, MatrixRow
from schedsync.core.schedule import FIELDS, Desired, Schedule, Spec
from schedsync.core.selector import Candidate, Selector
from schedsync.core.sources import no_sources
from schedsync.errors import InvalidSet, WrongUsage
from schedsync.files.progress import Progress, silent
from schedsync.files.schedule_set import read_set, resolve_set
from schedsync.git.sparse import absent_files
from schedsync.usecases.selection import choose


def matrix(config: Config, selector: Selector, *, only_differing: bool, progress: Progress = silent) -> Matrix:
    """Return one row for each schedule that the selector fits in some environment, by name.

    Raises InvalidSet where the files have errors, WrongUsage where no environments are declared or the selector fits
    nothing.
    """
    if not config.environments:
        hint = 'declare them in schedsync.toml, such as `environments = ["staging", "production"]`'
        raise WrongUsage("the configuration declares no environments", hint=hint)
    files = read_set(config, progress, absent=absent_files(config), sources=no_sources)
    found: dict[str, Desired] = {}
    findings: dict[Finding, None] = {}
    for name in config.environments:
        progress(f"reading {name}")
        found[name], of_environment = resolve_set(files, name)
        findings |= dict.fromkeys(of_environment)
    if has_errors(findings):
        raise InvalidSet(list(findings))
    rows = _rows(config.set, found, selector)
    unexpanded = {each.finding().message for name in found for each in files.unexpanded(name)}
    rows = tuple(row for row in rows if row.differs or not only_differing)
    return Matrix(config.set, tuple(found), rows, tuple(sorted(unexpanded)))


def _rows(set_name: str, found: Mapping[str, Desired], selector: Selector) -> tuple[MatrixRow, ...]:
    candidates = [
        _candidate(set_name, schedule) for desired in found.values() for schedule in desired.schedules.values()
    ]
    names = sorted({candidate.name for candidate in choose(selector, candidates)})
    return tuple(_row(name, found) for name in names)


def _candidate(set_name: str, schedule: Schedule) -> Candidate:
    people = schedule.people
    return Candidate(schedule.name, set_name, schedule.spec.queue, people.owner, people.labels)


def _row(name: str, found: Mapping[str, Desired]) -> MatrixRow:
    specs: dict[str, Spec | None] = {}
    for environment, desired in found.items():
        schedule = desired.schedules.get(name)
        specs[environment] = None if schedule is None else schedule.spec
    present = [spec for spec in specs.values() if spec is not None]
    differing = tuple(field for field in FIELDS if len({getattr(spec, field) for spec in present}) > 1)
    return MatrixRow(name, specs, differing)
