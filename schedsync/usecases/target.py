"""The set and the database that a use case compares, the schedules of its files, and the facts that Git has on them."""

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
    """The set and the database to compare, the environment, and the rules that this call lifts."""

    config: Config
    using: str = "default"
    environment: str | None = None
    limits: Limits = field(default_factory=Limits)
    adopt: tuple[str, ...] = ()
    progress: Progress = field(default=silent, compare=False)


def desired_of(target: Target) -> tuple[ScheduleSet, Desired, list[Finding]]:
    """Read the files; returns them, the schedules that they define here, and their findings of lower severity.

    Raises InvalidSet where the files have errors, WrongUsage where they differ by environment and none is chosen.
    """
    files = read_set(target.config, target.progress)
    target.progress("comparing")
    environment = target.config.chosen(target.environment)
    if environment is None and files.by_environment:
        known = ", ".join(target.config.environments)
        raise WrongUsage(
            "the files differ by environment, and none is chosen",
            hint="give `--environment`, or set SCHEDSYNC_ENVIRONMENT" + (f"; declared: {known}" if known else ""),
        )
    desired, findings = resolve_set(files, environment)
    findings += refused_by_celery(desired)
    if has_errors(findings):
        raise InvalidSet(findings)
    return files, desired, findings


def binding_of(target: Target) -> Binding:
    """Ask Git where the files come from: repository, path in it, and commit."""
    config = target.config
    origin = revision(config.paths[0], config.repository_url)
    return Binding(target.environment, origin.repository, origin.path, origin.commit)


def plan_request(target: Target, binding: Binding, last: Binding | None) -> PlanRequest:
    """Return the request to plan a target; ``last`` is where its set was last applied from, None for never.

    Asks Git whether one commit descends from the other, so call it while no transaction is open.
    """
    related = ancestry(target.config.paths[0], last.commit if last else None, binding.commit)
    return PlanRequest(target.config.set, binding, related, target.limits, target.adopt)
