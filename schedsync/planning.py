"""From files and an observed state to a plan: the same steps, whether that state is a database's or a snapshot's.

Imports no Django.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from schedsync.conf import Config
from schedsync.consequences import with_consequences
from schedsync.core.change import Change, Create, Observed, Rename
from schedsync.core.diff import Difference, diff
from schedsync.core.finding import Finding, has_errors
from schedsync.core.location import Location
from schedsync.core.plan import Plan
from schedsync.core.rule import Context, Options
from schedsync.core.safety import Binding, Limits, Situation, refusals
from schedsync.core.schedule import Desired
from schedsync.core.snapshot import Snapshot, masked_desired
from schedsync.core.timing import Clocked, Timing
from schedsync.errors import InvalidSet, WrongUsage
from schedsync.forecast import celery_schedule
from schedsync.lint import RULES, lint
from schedsync.reading import Reading, read_set, resolve_set
from schedsync.sources.git import Ancestry, ancestry, revision


@dataclass(frozen=True, slots=True)
class Target:
    """Which set is compared with which database, in which environment, and what this call allows."""

    config: Config
    using: str = "default"
    environment: str | None = None
    limits: Limits = field(default_factory=Limits)
    adopt: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What stands beside the rows: where the set was last applied from, and the names in CELERY_BEAT_SCHEDULE."""

    last: Binding | None = None
    dual_writers: frozenset[str] = frozenset()


def desired_of(target: Target) -> tuple[Reading, Desired, list[Finding]]:
    """Read what the files want; raises InvalidSet where they have errors, WrongUsage where no environment is chosen."""
    reading = read_set(target.config)
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


def refused_by_celery(desired: Desired) -> list[Finding]:
    """Build Celery's real object for each timing, as Beat will; what it refuses is a finding."""
    says: dict[Timing, str | None] = {}
    for schedule in desired.schedules.values():
        timing = schedule.spec.timing
        if timing not in says:
            says[timing] = None if isinstance(timing, Clocked) else _celery_says(timing)
    return [
        Finding("SS138", f"Celery refuses this timing: {message}", schedule.location)
        for schedule in desired.schedules.values()
        if (message := says[schedule.spec.timing])
    ]


def _celery_says(timing: Timing) -> str | None:
    try:
        celery_schedule(timing)
    except Exception as error:
        return str(error).strip().partition("\n")[0]
    return None


def planned(
    target: Target,
    desired: Desired,
    findings: Sequence[Finding],
    observed: Observed,
    surroundings: Surroundings,
    now: datetime,
    binding: Binding | None = None,
) -> Plan:
    """Return the plan that makes an observed state what the files want; raises WrongUsage where ``adopt`` is wrong.

    ``binding`` is where the files come from, by default where they lie in the work tree.
    """
    difference = diff(desired, observed, now, adopt=target.adopt)
    binding = binding or binding_of(target)
    situation, warnings = _situation(target, desired, observed, difference, binding, surroundings)
    return Plan(
        set=target.config.set,
        binding=binding,
        changes=tuple(with_consequences(change, observed, now) for change in difference.changes),
        observed=observed,
        now=now,
        held=difference.held,
        paused=difference.paused,
        completed=difference.completed,
        forgotten=difference.forgotten,
        agreed=difference.agreed,
        refusals=refusals(difference.changes, situation, target.limits),
        notices=(*findings, *warnings, *_completed_notices(desired, difference), *difference.notices),
        unchanged=difference.unchanged,
        places={name: (schedule.location, schedule.people) for name, schedule in desired.schedules.items()},
    )


def binding_of(target: Target) -> Binding:
    """Return where the files come from: environment, repository, path, commit."""
    config = target.config
    found = revision(config.paths[0], config.repository_url)
    return Binding(target.environment, found.repository, found.path, found.commit)


def _situation(
    target: Target,
    desired: Desired,
    observed: Observed,
    difference: Difference,
    binding: Binding,
    surroundings: Surroundings,
) -> tuple[Situation, list[Finding]]:
    """Return what the safety rules look at, and warnings where Git cannot tell."""
    _check_adopt(target, desired, observed)
    last = surroundings.last
    age = ancestry(target.config.paths[0], last.commit if last else None, binding.commit)
    found = Situation(
        set=target.config.set,
        desired=len(desired.schedules),
        managed=sum(name in observed.rows for name in observed.ledger),
        taken=difference.taken,
        case_twins=_case_twins(difference, observed),
        dual_writers=surroundings.dual_writers,
        now=binding,
        last=last,
        older=age.older,
    )
    return found, [*_uncomparable(last, binding, age), *_written_by_both(found, desired, difference)]


def _uncomparable(last: Binding | None, now: Binding, age: Ancestry) -> Iterator[Finding]:
    if age.shallow:
        hint = "fetch more of the history: `fetch-depth: 0` in GitHub's checkout, `GIT_DEPTH: 0` in GitLab"
        message = "the clone is too shallow to tell whether this commit descends from the one last applied"
        yield Finding("SS162", message, hint=hint, severity="warning")
    if last and last.commit and not now.commit:
        message = f"commit {last.commit[:12]} was applied last, and these files are in no Git checkout to compare with"
        yield Finding(
            "SS162", message, hint="apply from a checkout, so that an old copy is refused", severity="warning"
        )


def _written_by_both(found: Situation, desired: Desired, difference: Difference) -> Iterator[Finding]:
    changed = {change.name for change in difference.changes}
    for name in sorted((set(desired.schedules) & set(found.dual_writers)) - changed):
        message = f"`{name}` stands in CELERY_BEAT_SCHEDULE too: Beat writes that back at its next start"
        yield Finding("SS306", message, desired.schedules[name].location, "remove it there", "warning")


def _check_adopt(target: Target, desired: Desired, observed: Observed) -> None:
    """Raise WrongUsage where a name to adopt is not in the files, or has no row to take over."""
    unknown = [name for name in target.adopt if name not in desired.schedules]
    if unknown:
        raise WrongUsage(f"--adopt: the files hold no schedule `{unknown[0]}`", hint="adopt what the files name")
    nothing = [name for name in target.adopt if name not in observed.rows and name not in observed.elsewhere]
    if nothing:
        raise WrongUsage(f"--adopt: there is no row `{nothing[0]}` to take over", hint="leave the flag out")


def _case_twins(difference: Difference, observed: Observed) -> tuple[tuple[str, str], ...]:
    created = [change.name for change in difference.changes if isinstance(change, (Create, Rename))]
    if not created:
        return ()
    going = {change.name for change in difference.changes if change.after is None}
    going |= {getattr(change, "old_name", change.name) for change in difference.changes if change.kind == "rename"}
    folded = {name.casefold(): name for name in observed.rows if name not in going}
    return tuple((name, twin) for name in created if (twin := folded.get(name.casefold())) and twin != name)


def _completed_notices(desired: Desired, difference: Difference) -> list[Finding]:
    """Return a warning for each schedule that can do nothing any more."""
    return [
        Finding("SS160", f"`{name}` is completed", desired.schedules[name].location, "drop it", "warning")
        for name in difference.completed
        if name in desired.schedules
    ]


def plan_against(target: Target, snapshot: Snapshot, now: datetime) -> Plan:
    """Compare the files with a snapshot of the database and of the application; needs neither.

    What the snapshot's workers do not know yet, and would be sent, heads the notices.
    """
    check_set(snapshot, target.config)
    reading, desired, findings = desired_of(target)
    wanted, surroundings = masked_desired(desired), Surroundings(snapshot.last, snapshot.dual_writers)
    result = planned(target, wanted, findings, snapshot.observed, surroundings, now)
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


def check_set(snapshot: Snapshot, config: Config) -> None:
    """Raise WrongUsage where a snapshot is of another set than the files."""
    if snapshot.set != config.set:
        hint = "take it where this set is configured"
        raise WrongUsage(f"the snapshot is of set `{snapshot.set}`, not of `{config.set}`", hint=hint)


def _about_the_application(config: Config) -> Options:
    codes = tuple(rule.code for rule in RULES.values() if rule.needs_application and rule.chosen(config.lint))
    return replace(config.lint, select=codes, extend_select=())


def _sent_anew(changes: Sequence[Change], desired: Desired) -> set[Location]:
    """Return where the tasks stand that are sent for the first time, or by another name than before."""
    names = (one.name for one in changes if one.after and (one.row is None or _retargeted(one)))
    return {desired.schedules[name].at("task") for name in names}


def _retargeted(change: Change) -> bool:
    return any(one.field == "task" for one in change.fields)
