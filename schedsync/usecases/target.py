"""The set and the database that a use case compares, the schedules of its files, and the facts that Git has on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from schedsync.config import Config, read_config
from schedsync.core.adoption import Adoption
from schedsync.core.finding import Finding, has_errors
from schedsync.core.origin import Binding
from schedsync.core.refusal import Limits, Refusal
from schedsync.core.schedule import Desired
from schedsync.core.sources import Sources
from schedsync.errors import InvalidConfiguration, InvalidSet, WrongUsage
from schedsync.files.discover import Note, note_file
from schedsync.files.progress import Progress, silent
from schedsync.files.schedule_set import ScheduleSet, read_set, resolve_set
from schedsync.git.origin import ancestry, ancestry_in, revision
from schedsync.git.repository import root_of
from schedsync.git.sparse import absent_files
from schedsync.git.work_tree import FilesRead
from schedsync.planning.build import PlanRequest, refused_by_celery
from schedsync.usecases.committed import Committed


@dataclass(frozen=True, slots=True)
class Target:
    """The set and the database to compare, the environment, and the rules that this call lifts.

    ``commit`` says where the files come from if they are in no checkout. With ``committed`` they are read from a commit
    and not from the disk. With ``leaves_drift`` a plan of the commit that was applied last undoes no edits by others.
    ``fence`` is asked in the transaction of an apply, and returns why it may not write, if so.
    """

    config: Config
    using: str = "default"
    environment: str | None = None
    limits: Limits = field(default_factory=Limits)
    adopt: Adoption = field(default_factory=Adoption)
    commit: str | None = None
    progress: Progress = field(default=silent, compare=False)
    committed: Committed | None = field(default=None, compare=False)
    leaves_drift: bool = False
    fence: Callable[[], tuple[Refusal, ...]] = field(default=tuple, compare=False)


@dataclass(frozen=True, slots=True)
class Files:
    """What the files of a target say, and where they come from; ``findings`` have a lower severity than error."""

    set: ScheduleSet
    desired: Desired
    findings: list[Finding]
    binding: Binding
    dirty_files: tuple[str, ...]


def files_of(target: Target, sources: Sources) -> Files:
    """Read the files, and ask Git where they come from; call it while no transaction is open.

    ``sources`` returns the values of a source of the application. Raises what ``desired_of`` raises.
    """
    if target.committed is not None:
        binding = Binding(target.environment, *target.committed.place(target.config))
        return Files(*desired_of(target, sources), binding, ())
    config, read = target.config, FilesRead()
    files, desired, findings = desired_of(target, sources, read.note)
    if config.file is not None:
        note_file(config.file, read.note)
    origin = revision(config.paths, config.repository_url, read, target.commit)
    binding = Binding(target.environment, origin.repository, origin.path, origin.commit, bool(origin.dirty_files))
    return Files(files, desired, findings, binding, origin.dirty_files)


def desired_of(
    target: Target, sources: Sources, note: Note | None = None
) -> tuple[ScheduleSet, Desired, list[Finding]]:
    """Read the files; returns them, the schedules that they define here, and their findings of lower severity.

    ``note`` gets each file that is read. Raises InvalidSet where the files have errors or nothing knows the values of
    a source, WrongUsage where they differ by environment and none is chosen.
    """
    if target.committed is not None:
        files = target.committed.read(sources)
    else:
        files = read_set(target.config, target.progress, note, sources, absent_files(target.config, note))
    target.progress("comparing")
    environment = target.config.chosen(target.environment)
    if environment is None and files.by_environment:
        known = ", ".join(target.config.environments)
        raise WrongUsage(
            "the files differ by environment, and none is chosen",
            hint="give `--environment`, or set SCHEDSYNC_ENVIRONMENT" + (f"; declared: {known}" if known else ""),
        )
    desired, findings = resolve_set(files, environment)
    findings += [definition.finding() for definition in files.unexpanded(environment)]
    findings += refused_by_celery(desired)
    if has_errors(findings):
        raise InvalidSet(findings)
    return files, desired, findings


def plan_request(target: Target, files: Files, last: Binding | None) -> PlanRequest:
    """Return the request to plan a target; ``last`` is where its set was last applied from, None for never.

    Asks Git whether one commit descends from the other, so call it while no transaction is open.
    """
    binding = files.binding
    commit, committed = last.commit if last else None, target.committed
    if committed is not None:
        related = ancestry_in(committed.repository, commit, binding.commit)
        twice = last is not None and committed.has_set_at(last.path, target.config)
    else:
        related = ancestry(target.config.paths[0], commit, binding.commit)
        twice = last is not None and _is_still_there(target.config, last, binding)
    return PlanRequest(target.config.set, binding, related, target.limits, target.adopt, files.dirty_files, twice)


def _is_still_there(config: Config, last: Binding, now: Binding) -> bool:
    """Say whether another configuration of this checkout names the set, where it was last applied from."""
    root = root_of(config.paths[0])
    if root is None or last.path in (None, now.path):
        return False
    place = root / str(last.path)
    try:
        other = read_config(str(place), root)
    except InvalidConfiguration:
        return False
    if other.file is None or not place.exists():
        return False
    is_same_file = config.file is not None and other.file.resolve() == config.file.resolve()
    return other.set == config.set and not is_same_file
