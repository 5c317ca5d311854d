"""The schedules of an earlier commit, read from Git without a checkout, and the way back to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from schedsync.config import DEFAULT_PATH
from schedsync.core.finding import Finding, has_errors
from schedsync.core.names import first_names, shortened
from schedsync.core.observed import Observed
from schedsync.core.origin import Binding
from schedsync.core.schedule import Desired, Schedule, completed_at
from schedsync.errors import Failed, WrongUsage
from schedsync.files.schedule_set import resolve_set
from schedsync.git.repository import Repository, open_repository, root_of
from schedsync.planning.build import refused_by_celery
from schedsync.planning.undo import Stamp, Undo, earlier_targets, marks_for
from schedsync.review.side import read_revision
from schedsync.usecases.sources import sources_in_settings
from schedsync.usecases.target import Target

_NAMED = 5


@dataclass(frozen=True)
class Earlier:
    """The schedules of a commit in one environment, and the findings of its files."""

    commit: str
    desired: Desired
    findings: tuple[Finding, ...] = ()


def earlier_files(target: Target, reference: str, path: str | None, last: Binding) -> Earlier:
    """Read the files of a commit; ``last`` is where the set was applied from last.

    Raises WrongUsage where there is no such commit, or it is no earlier state of the set; Failed where its files have
    errors. Git is asked, so call it while no transaction is open.
    """
    start = Path(path or DEFAULT_PATH)
    if root_of(start) is None:
        hint = "`schedsync apply` names its run in its last line; to go back to a commit, call it in the repository"
        raise WrongUsage(f"there is no run `{shortened(reference)}`", hint=hint)
    try:
        with open_repository(start) as repository:
            commit = repository.commit(reference)
            _check_earlier(repository, commit, last)
            desired, findings = _files_at(repository, commit, target, path)
            renamed_from = _renames_since(repository, target, path, last)
    except WrongUsage as error:
        if error.message.startswith("no commit"):
            message = f"there is no run and no commit `{shortened(reference)}`"
            hint = error.hint or "`schedsync apply` names its run in its last line"
            raise WrongUsage(message, hint=hint) from error
        raise
    return Earlier(commit, _with_renames(desired, renamed_from), findings)


def _check_earlier(repository: Repository, commit: str, last: Binding) -> None:
    """Raise WrongUsage where a commit is no ancestor of the one that was applied last."""
    if last.commit is None:
        hint = "roll back a run instead: `schedsync rollback RUN`"
        raise WrongUsage("nobody knows from which commit the set was applied last", hint=hint)
    applied = repository.find(last.commit)
    if applied is None or repository.is_ancestor(commit, applied) is None:
        message = f"commit {last.commit[:12]}, which was applied last, is not in this clone"
        raise WrongUsage(message, hint="fetch it, with its history: `git fetch --unshallow`, `fetch-depth: 0` in CI")
    if not repository.is_ancestor(commit, applied):
        message = f"commit {commit[:12]} is no earlier state: {applied[:12]}, which was applied last, is not from it"
        raise WrongUsage(message, hint="to go forward, check it out and use `schedsync apply`")


def _files_at(
    repository: Repository, commit: str, target: Target, path: str | None
) -> tuple[Desired, tuple[Finding, ...]]:
    side = read_revision(repository, commit, path, sources_in_settings(), progress=target.progress)
    short = commit[:12]
    if not side.there:
        raise WrongUsage(f"there are no files at `{side.path}` in {short}", hint="choose another commit")
    if side.config.set != target.config.set:
        message = f"the files of {short} are of set `{side.config.set}`, not of `{target.config.set}`"
        raise WrongUsage(message, hint="choose a commit since the set has its name")
    environment = side.config.chosen(target.environment)
    if environment is None and side.reading.by_environment:
        raise WrongUsage(f"the files of {short} differ by environment", hint="give `--environment`")
    desired, findings = resolve_set(side.reading, environment)
    findings += [definition.finding() for definition in side.reading.unexpanded(environment)]
    findings += refused_by_celery(desired)
    if has_errors(findings):
        broken = first_names(sorted(side.broken(environment)), _NAMED)
        raise Failed(f"the files of {short} have errors: {broken}", hint=f"see `schedsync review {short}`")
    return desired, tuple(findings)


def _renames_since(repository: Repository, target: Target, path: str | None, last: Binding) -> Mapping[str, str]:
    """Return the names that the files of the last apply give to renamed schedules, by their old names.

    Where these files cannot be read, nothing is known to be renamed: a schedule is deleted and created then.
    """
    try:
        desired, _ = _files_at(repository, repository.commit(last.commit or ""), target, path)
    except (Failed, WrongUsage):
        return {}
    return {each.renamed_from: name for name, each in desired.schedules.items() if each.renamed_from}


def _with_renames(desired: Desired, renamed: Mapping[str, str]) -> Desired:
    schedules = {name: _named_back(schedule, renamed, desired) for name, schedule in desired.schedules.items()}
    return replace(desired, schedules=schedules)


def _named_back(schedule: Schedule, renamed: Mapping[str, str], desired: Desired) -> Schedule:
    new = renamed.get(schedule.name)
    return schedule if new is None or new in desired.schedules else replace(schedule, renamed_from=new)


def undo_to(desired: Desired, observed: Observed, stamp: Stamp) -> Undo:
    """Return the way back to the files of a commit."""
    targets = [
        target
        for target in earlier_targets(desired, observed)
        # What is completed and was never there is not created either.
        if target.spec is None or target.name in observed.ledger or not completed_at(target.spec, stamp.since)
    ]
    names = frozenset(name for target in targets for name in (target.name, target.kept_name))
    return Undo(desired, names, marks_for(targets, observed, stamp))
