"""Build a plan from the files and an observed state, be it a database's or a snapshot's. Imports no Django."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from schedsync.calendar.stock_beat import celery_schedule
from schedsync.core.adoption import Adoption, is_glob, matches
from schedsync.core.change import Create, Delete, Rename
from schedsync.core.controls import NO_CONTROLS, Controls
from schedsync.core.finding import Finding
from schedsync.core.observed import Managed, Observed
from schedsync.core.origin import Ancestry, Binding
from schedsync.core.refusal import Limits, Refusal
from schedsync.core.rollback import Marks
from schedsync.core.schedule import Desired
from schedsync.core.timing import Clocked, Timing
from schedsync.errors import WrongUsage
from schedsync.planning import controls
from schedsync.planning.allowances import ended, lift
from schedsync.planning.consequences import with_consequences
from schedsync.planning.diff import Difference, diff
from schedsync.planning.freezes import freeze_refusals, lifted_notice, only_resumes
from schedsync.planning.notices import completed, folded
from schedsync.planning.plan import Plan
from schedsync.planning.renames import renames
from schedsync.planning.rolled_back import keep, limited, rolled_back_notices, without_kept
from schedsync.planning.safety import Situation, dirty_text, refusals
from schedsync.planning.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What to plan: the set, where its files come from, and what this call allows.

    ``ancestry`` compares the commit of ``binding`` with the one that was applied last. ``adopt`` says which rows this
    call takes over. ``dirty_files`` are paths of files that differ from that commit. ``in_two_places``: see Situation.
    ``only`` are the names that may change; None for all.
    """

    set: str
    binding: Binding
    ancestry: Ancestry = field(default_factory=Ancestry)
    limits: Limits = field(default_factory=Limits)
    adopt: Adoption = field(default_factory=Adoption)
    dirty_files: tuple[str, ...] = ()
    in_two_places: bool = False
    only: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What surrounds a set: where it was applied from last, and what Django's settings and the database say about it.

    ``dual_writers`` are the names in CELERY_BEAT_SCHEDULE, ``controls`` those of Django's settings. ``same_names`` are
    pairs of names that the database takes for one; None where it cannot be asked and may ignore case.
    """

    last: Binding | None = None
    dual_writers: frozenset[str] = frozenset()
    controls: Controls = NO_CONTROLS
    same_names: tuple[tuple[str, str], ...] | None = ()

    @classmethod
    def in_snapshot(cls, snapshot: Snapshot) -> Surroundings:
        """Return what a snapshot says; it cannot say which names the database takes for one."""
        return cls(snapshot.last, snapshot.dual_writers, snapshot.controls)


def refused_by_celery(desired: Desired) -> list[Finding]:
    """Return a finding for each schedule whose timing Celery refuses: Celery's own object is built, as Beat does."""
    problems: dict[Timing, str | None] = {}
    for schedule in desired.schedules.values():
        timing = schedule.spec.timing
        if timing not in problems:
            problems[timing] = None if isinstance(timing, Clocked) else _problem_of(timing)
    return [
        Finding("SS138", f"Celery refuses this timing: {message}", schedule.location)
        for schedule in desired.schedules.values()
        if (message := problems[schedule.spec.timing])
    ]


def _problem_of(timing: Timing) -> str | None:
    try:
        celery_schedule(timing)
    except Exception as error:
        return str(error).strip().partition("\n")[0]
    return None


def build_plan(
    request: PlanRequest,
    desired: Desired,
    findings: Sequence[Finding],
    observed: Observed,
    surroundings: Surroundings,
    now: datetime,
) -> Plan:
    """Return the plan that brings an observed state to what the files say.

    ``findings`` of the files become notices. Raises WrongUsage where ``adopt`` has a name that no file or no row has.
    """
    kept = keep(desired, observed)
    difference = diff(kept.desired, observed, now, adopt=request.adopt, grace=request.limits.grace)
    difference = limited(difference, request.only, kept.lasting)
    refused, notices = _judged(request, kept.desired, observed, difference, surroundings, now)
    lifted = _lifted(request, difference, observed, now)
    said = (*lifted_notice(lifted, request.limits.place), *rolled_back_notices(kept.lasting, desired))
    return Plan(
        set=request.set,
        binding=request.binding,
        changes=with_consequences(difference.changes, observed, now),
        observed=observed,
        now=now,
        held=difference.held,
        paused=difference.paused,
        completed=difference.completed,
        lost_rows=difference.lost_rows,
        to_record=difference.to_record,
        joined=difference.joined,
        removing=difference.removing,
        refusals=refused,
        lifted=lifted,
        notices=(*findings, *said, *notices),
        unchanged=without_kept(difference, kept.lasting),
        locations={name: (schedule.location, schedule.people) for name, schedule in desired.schedules.items()},
        rolled_back=kept.lasting,
        marks=Marks(over=kept.over),
        desired=desired,
    )


def _lifted(request: PlanRequest, difference: Difference, observed: Observed, now: datetime) -> tuple[Refusal, ...]:
    """Return the freeze that `--allow-freeze` lifts, if there is one and the plan has changes."""
    if not request.limits.allow_freeze or only_resumes(difference.changes, observed, now):
        return ()
    return freeze_refusals(request.limits, request.binding.environment, now)


def _judged(
    request: PlanRequest,
    desired: Desired,
    observed: Observed,
    difference: Difference,
    surroundings: Surroundings,
    now: datetime,
) -> tuple[tuple[Refusal, ...], tuple[Finding, ...]]:
    """Return what the safety rules and the controls refuse, and what a reader of the plan should know besides."""
    situation, warnings = _situation(request, desired, observed, difference, surroundings, now)
    refused, lifted = lift(
        refusals(difference.changes, situation, request.limits), request.limits, now, empty=not desired.schedules
    )
    not_allowed, tolerated = _by_controls(request, desired, observed, difference, surroundings)
    notices = (
        *lifted,
        *ended(request.limits.allowances, now, request.limits.place),
        *warnings,
        *tolerated,
        *completed(desired, difference.completed),
        *_unreadable_notices(observed, difference),
        *renames(difference.changes),
        *difference.notices,
    )
    return (*refused, *not_allowed), notices


def _by_controls(
    request: PlanRequest, desired: Desired, observed: Observed, difference: Difference, surroundings: Surroundings
) -> tuple[list[Refusal], list[Finding]]:
    """Return what the controls refuse, and warnings about managed schedules that break one and do not change."""
    layers = (surroundings.controls, request.limits.controls)
    refused = list(controls.refused_sets(request.set, difference.changes, observed.elsewhere, surroundings.controls))
    refused += controls.refused_changes(difference.changes, layers)
    changed = {change.name for change in difference.changes}
    kept = [each for name, each in desired.schedules.items() if name in observed.ledger and name not in changed]
    return refused, list(controls.warnings(kept, layers))


def _situation(
    request: PlanRequest,
    desired: Desired,
    observed: Observed,
    difference: Difference,
    surroundings: Surroundings,
    now: datetime,
) -> tuple[Situation, list[Finding]]:
    """Return what the safety rules look at, and warnings where a rule cannot decide, or only warns."""
    _check_adopt(request, desired, observed)
    last, binding = surroundings.last, request.binding
    situation = Situation(
        set=request.set,
        desired=len(desired.schedules),
        managed=sum(name in observed.rows and entry.removing is None for name, entry in observed.ledger.items()),
        name_conflicts=difference.name_conflicts,
        same_names=_same_names(difference, observed, surroundings.same_names),
        dual_writers=surroundings.dual_writers,
        now=binding,
        last=last,
        older=request.ancestry.older,
        dirty_files=request.dirty_files,
        at=now,
        in_two_places=request.in_two_places,
        paused=frozenset(pause.name for pause in difference.joined),
        only_resumes=only_resumes(difference.changes, observed, now),
    )
    warnings = [
        *_uncomparable(last, binding, request),
        *_uncommitted(situation, request.limits),
        *_written_by_both(situation, desired, difference),
    ]
    return situation, warnings


def _uncomparable(last: Binding | None, now: Binding, request: PlanRequest) -> Iterator[Finding]:
    age = request.ancestry
    if request.limits.allow_older:
        return  # Where an older commit may be applied, nobody has to know which is older.
    if age.shallow:
        hint = "fetch more of the history: `fetch-depth: 0` in GitHub's checkout, `GIT_DEPTH: 0` in GitLab"
        message = "the clone is too shallow to tell whether this commit descends from the one last applied"
        yield Finding("SS162", message, hint=hint, severity="warning")
    if last and last.commit and (age.unknown or not now.commit):
        files = f"commit {now.commit[:12]}" if now.commit else "these files"
        message = f"commit {last.commit[:12]} was applied last; {files}, in no Git checkout, may be older"
        yield Finding(
            "SS162", message, hint="apply from a checkout, then an older commit is refused", severity="warning"
        )


def _uncommitted(situation: Situation, limits: Limits) -> Iterator[Finding]:
    if situation.dirty_files and (situation.now.environment is None or limits.allow_dirty):
        hint = "commit the changes, so that the commit says what is applied"
        names = tuple(situation.dirty_files)
        yield Finding("SS178", dirty_text(situation), None, hint, "warning", names)


def _written_by_both(situation: Situation, desired: Desired, difference: Difference) -> Iterator[Finding]:
    changed = {change.name for change in difference.changes}
    names = sorted((set(desired.schedules) & set(situation.dual_writers)) - changed)
    yield from folded(
        "SS306",
        [(name, desired.schedules[name].location) for name in names],
        "`{name}` is also defined in CELERY_BEAT_SCHEDULE; Beat will overwrite this row at its next start",
        "{count} names are also defined in CELERY_BEAT_SCHEDULE; Beat will overwrite these rows at its next start",
        "remove it there",
    )


def _check_adopt(request: PlanRequest, desired: Desired, observed: Observed) -> None:
    """Raise WrongUsage where a pattern to adopt fits no name in the files, or a name has no row to take over."""
    for pattern in request.adopt.patterns:
        if not any(matches(pattern, name) for name in desired.schedules):
            message = f"--adopt: the files hold no schedule `{pattern}`"
            raise WrongUsage(message, hint="give a name that is in the files")
        if not is_glob(pattern) and pattern not in observed.rows and pattern not in observed.elsewhere:
            raise WrongUsage(f"--adopt: there is no row `{pattern}` to take over", hint="leave the flag out")
    if request.set in request.adopt.sets:
        hint = "give the set that manages the rows now"
        raise WrongUsage(f"--adopt-from: `{request.set}` is the set that is planned", hint=hint)


def _same_names(
    difference: Difference, observed: Observed, asked: tuple[tuple[str, str], ...] | None
) -> tuple[tuple[str, str], ...]:
    """Return the pairs of names that the plan would have in the table at once, but that are one for the database.

    Where the database cannot be asked, those are names that differ only in case.
    """
    written = {change.name for change in difference.changes if isinstance(change, (Create, Rename))}
    # The row of a release stays, and keeps its name.
    freed = {change.name for change in difference.changes if isinstance(change, Delete)} | set(difference.lost_rows)
    freed |= {change.old_name for change in difference.changes if isinstance(change, Rename)}
    if asked is None:
        folded_names = {name.casefold(): name for name in observed.rows if name not in freed}
        twins = ((name, folded_names.setdefault(name.casefold(), name)) for name in sorted(written))
        asked = tuple((name, twin) for name, twin in twins if twin != name)
    return tuple(pair for pair in asked if pair[0] in written and pair[1] not in freed)


def _unreadable_notices(observed: Observed, difference: Difference) -> Iterator[Finding]:
    """Yield a warning for each ledger entry that an apply writes again because it cannot be read."""
    names = {change.name for change in difference.changes} | {schedule.name for schedule in difference.to_record}
    for name in sorted(names):
        if (managed := observed.ledger.get(name)) and managed.spec is None:
            yield unreadable_entry(managed)


def unreadable_entry(managed: Managed) -> Finding:
    """Return the finding for a ledger entry whose text of what was applied last cannot be read."""
    message = f"`{managed.name}`: the ledger's text of what was applied last cannot be read"
    return Finding("SS334", message, managed.location, "`schedsync apply` writes it again", "warning")
