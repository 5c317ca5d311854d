"""What an apply of the files that were applied last would do now, from the database alone: for hosts without files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from schedsync.calendar.kept_load import KeptLoad, load_from
from schedsync.core.applied_files import AppliedFiles
from schedsync.core.journal_data import DamagedSegment, unpacked
from schedsync.core.observed import Observed
from schedsync.core.origin import Binding, commit_from
from schedsync.core.refusal import Limits
from schedsync.database.applied_files import kept_files, with_documents
from schedsync.database.audit import last_binding
from schedsync.database.collector import gc_paused
from schedsync.database.faults import database_errors
from schedsync.database.lock import read_only_transaction
from schedsync.database.observe import observe
from schedsync.database.tables import has_more
from schedsync.models import ManagedSchedule
from schedsync.planning.build import PlanRequest, Surroundings, build_plan
from schedsync.planning.desired_document import KeptDesired, desired_from
from schedsync.planning.plan import Plan

T = TypeVar("T")
#: A page compares at most this many schedules: nobody waits for more.
MOST_ON_A_PAGE = 20_000


@dataclass(frozen=True, slots=True)
class Preview:
    """The plan of the files that were applied last; ``plan`` is None where nobody can make it.

    They are not kept, cannot be read, or are too many for a page.
    """

    files: AppliedFiles
    plan: Plan | None


def last_files(using: str) -> list[AppliedFiles]:
    """Return for each set the facts of its last apply, the newest first; empty before the first one of this version.

    The documents are not read: :func:`preview` and :func:`load_kept` do that, for one set.
    """
    with database_errors(using):
        newest: dict[str, AppliedFiles] = {}
        for files in kept_files(using):
            newest.setdefault(files.set, files)
        return list(newest.values())


@gc_paused()
def preview(using: str, files: AppliedFiles, at: datetime) -> Preview:
    """Compare what the files said at their last apply with the tables now, without writing anything.

    The safety rules are not asked: they belong to an apply, which has its own flags and configuration.
    """
    with database_errors(using):
        managed = ManagedSchedule.objects.using(using).filter(set=files.set)
        kept = None if has_more(managed, MOST_ON_A_PAGE) else desired_of(using, files)
    if kept is None:
        return Preview(files, None)
    with database_errors(using), read_only_transaction(using):
        last, observed = last_binding(using, files.set), observe(using, files.set)
    return Preview(files, _plan(files, kept, observed, last, at))


def _plan(files: AppliedFiles, kept: KeptDesired, observed: Observed, last: Binding | None, at: datetime) -> Plan:
    commit, dirty = commit_from(files.commit)
    binding = replace(last or Binding(), environment=files.environment, commit=commit, dirty=dirty)
    request = PlanRequest(files.set, binding, limits=Limits(grace=kept.grace))
    plan = build_plan(request, kept.desired, (), observed, Surroundings(last), at)
    return replace(plan, refusals=(), notices=())


def desired_of(using: str, files: AppliedFiles) -> KeptDesired | None:
    """Return what files said; None where it is not kept, or cannot be read."""
    return _read(_documents(using, files).desired, desired_from)


def templates_of(using: str, files: AppliedFiles) -> dict[str, str]:
    """Return the definitions with a ``for_each`` by the names of their schedules; empty where they are not known."""
    return _read(_documents(using, files).desired, _templates) or {}


def _templates(values: Any) -> dict[str, str]:
    return {str(each["name"]): str(each["template"]) for each in values["schedules"] if each.get("template")}


def load_kept(using: str, files: AppliedFiles) -> KeptLoad | None:
    """Return the load of the week after the last apply; None where it is not kept, or cannot be read."""
    return _read(_documents(using, files).load, load_from)


def _documents(using: str, files: AppliedFiles) -> AppliedFiles:
    with database_errors(using):
        return with_documents(using, files)


def _read(data: bytes, read: Callable[[Any], T]) -> T | None:
    """Read a document. An older or a newer version, or somebody else, may have written it."""
    try:
        return read(unpacked(data)[0]) if data else None
    except (DamagedSegment, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
