"""Checks the files of a set; imports neither Django nor Celery."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from schedsync.config import Config
from schedsync.core.finding import Finding, in_order
from schedsync.files.progress import Progress, silent
from schedsync.files.schedule_set import read_set, resolve_set
from schedsync.lint import lint
from schedsync.lint.rule import Context


@dataclass(frozen=True, slots=True)
class Validation:
    """The findings in a set, and the numbers of its files and schedules."""

    findings: tuple[Finding, ...]
    files: int
    schedules: int


def validate(config: Config, environment: str | None, now: datetime, progress: Progress = silent) -> Validation:
    """Check a set in one environment; where that is None, in every environment by which its schedules differ."""
    files = read_set(config, progress)
    findings = files.findings
    names: set[str] = set()
    for name in files.environments(config, environment):
        progress(f"checking {name}" if name else "checking")
        desired, of_environment = resolve_set(files, name)
        names |= set(desired.schedules)
        schedules = tuple(desired.schedules.values())
        findings += of_environment + lint(Context(schedules, now, config.lint), files.ignores)
    return Validation(tuple(in_order(findings)), len(files.files), len(names))
