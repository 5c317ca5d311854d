"""What is wrong with the files of a set? Imports neither Django nor Celery."""

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
    """What validating a set found, and how much of it there was."""

    findings: tuple[Finding, ...]
    files: int
    schedules: int


def validate(config: Config, environment: str | None, now: datetime, progress: Progress = silent) -> Validation:
    """Check a set in one environment, or where none is chosen in all that its schedules differ by."""
    reading = read_set(config, progress)
    findings = reading.findings
    names: set[str] = set()
    for one in reading.environments(config, environment):
        progress(f"checking {one}" if one else "checking")
        desired, found = resolve_set(reading, one)
        names |= set(desired.schedules)
        schedules = tuple(desired.schedules.values())
        findings += found + lint(Context(schedules, now, config.lint), reading.ignores)
    return Validation(tuple(in_order(findings)), len(reading.files), len(names))
