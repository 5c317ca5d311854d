"""What surrounds a set, beside its files and its rows: Git, the settings, the audit record. Reads only."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

from schedsync.conf import Config
from schedsync.core.change import Create, Observed, Rename
from schedsync.core.diff import Difference
from schedsync.core.finding import Finding
from schedsync.core.safety import Binding, Limits, Situation
from schedsync.core.schedule import Desired
from schedsync.errors import WrongUsage
from schedsync.models import SyncRun
from schedsync.sources.git import Ancestry, ancestry, revision


@dataclass(frozen=True, slots=True)
class Target:
    """Which set is compared with which database, in which environment, and what this call allows."""

    config: Config
    using: str = "default"
    environment: str | None = None
    limits: Limits = field(default_factory=Limits)
    adopt: tuple[str, ...] = ()


def who() -> str:
    """Return who is at work: the person that CI names, else the account and the host."""
    named = os.environ.get("GITHUB_ACTOR") or os.environ.get("GITLAB_USER_LOGIN")
    try:
        account = getpass.getuser()
    except (OSError, KeyError):
        account = str(os.getuid())
    return (named or f"{account}@{socket.gethostname()}")[:200]


def binding_of(target: Target) -> Binding:
    """Return where the files come from: environment, repository, path, commit."""
    config = target.config
    found = revision(config.paths[0], config.repository_url)
    return Binding(target.environment, found.repository, found.path, found.commit)


def last_binding(using: str, set_name: str) -> Binding | None:
    """Return where the set was last applied from, by the audit record."""
    runs = SyncRun.objects.using(using).filter(set=set_name, verb="apply").order_by("-at")
    last = runs.values_list("environment", "repository", "path", "commit").first()
    return Binding(*last) if last else None


def settings_names() -> frozenset[str]:
    """Return the names in ``CELERY_BEAT_SCHEDULE``, which Beat writes back into the table at every start."""
    from celery import current_app
    from django.conf import settings

    names = set(getattr(settings, "CELERY_BEAT_SCHEDULE", None) or {})
    if not current_app.loader or type(current_app.loader).__name__ != "Loader":
        names |= set(current_app.conf.beat_schedule or {})
    return frozenset(names)


def situation_of(
    target: Target, desired: Desired, observed: Observed, difference: Difference, binding: Binding
) -> tuple[Situation, list[Finding]]:
    """Return what the safety rules look at, and warnings where Git cannot tell."""
    check_adopt(target, desired, observed)
    last = last_binding(target.using, target.config.set)
    age = ancestry(target.config.paths[0], last.commit if last else None, binding.commit)
    found = Situation(
        set=target.config.set,
        desired=len(desired.schedules),
        managed=sum(name in observed.rows for name in observed.ledger),
        taken=difference.taken,
        case_twins=_case_twins(difference, observed),
        dual_writers=settings_names(),
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


def check_adopt(target: Target, desired: Desired, observed: Observed) -> None:
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


def completed_notices(desired: Desired, difference: Difference) -> list[Finding]:
    """Return a warning for each schedule that can do nothing any more."""
    return [
        Finding("SS160", f"`{name}` is completed", desired.schedules[name].location, "drop it", "warning")
        for name in difference.completed
        if name in desired.schedules
    ]
