"""Which set is compared with which database, what its files want, and what Git says about them."""

from __future__ import annotations

from dataclasses import dataclass, field

from schedsync.config import Config
from schedsync.core.finding import Finding, has_errors
from schedsync.core.origin import Binding
from schedsync.core.refusal import Limits
from schedsync.core.schedule import Desired
from schedsync.errors import InvalidSet, WrongUsage
from schedsync.files.progress import Progress, silent
from schedsync.files.schedule_set import ScheduleSet, read_set, resolve_set
from schedsync.git.origin import ancestry, revision
from schedsync.planning.build import PlanRequest, refused_by_celery


@dataclass(frozen=True, slots=True)
class Target:
    """Which set is compared with which database, in which environment, and what this call allows."""

    config: Config
    using: str = "default"
    environment: str | None = None
    limits: Limits = field(default_factory=Limits)
    adopt: tuple[str, ...] = ()
    progress: Progress = field(default=silent, compare=False)


def desired_of(target: Target) -> tuple[ScheduleSet, Desired, list[Finding]]:
    """Read what the files want; raises InvalidSet where they have errors, WrongUsage where no environment is chosen."""
    reading = read_set(target.config, target.progress)
    target.progress("comparing")
    environment = target.config.chosen(target.environment)
    if environment is None and reading.by_environment:
        known = ", ".join(target.config.environments)
        raise WrongUsage(
            "the files differ by environment, and none is chosen",
            hint="give `--environment`, or set SCHEDSYNC_ENVIRONMENT" + (f"; declared: {known}" if known else ""),
        )
    desired, findings = resolve_set(reading, environment)
    findings += refused_by_celery(desired)
    if has_errors(findings):
        raise InvalidSet(findings)
    return reading, desired, findings


def binding_of(target: Target) -> Binding:
    """Return where the files come from: environment, repository, path, commit."""
    config = target.config
    found = revision(config.paths[0], config.repository_url)
    return Binding(target.environment, found.repository, found.path, found.commit)


def plan_request(target: Target, binding: Binding, last: Binding | None) -> PlanRequest:
    """Return what a plan of the target is for; ``last`` is where its set was last applied from, None for nowhere.

    Asks Git how the two commits are related, so it is called while no transaction is open.
    """
    related = ancestry(target.config.paths[0], last.commit if last else None, binding.commit)
    return PlanRequest(target.config.set, binding, related, target.limits, target.adopt)
