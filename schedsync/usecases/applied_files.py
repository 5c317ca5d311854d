"""What an apply keeps for readers that have no files: what the files say, and the load of the week that they make."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace

from django.db import DatabaseError, InterfaceError

from schedsync.calendar.crowds import crowds
from schedsync.calendar.kept_load import KeptLoad, load_document
from schedsync.calendar.load import load_of
from schedsync.calendar.stock_beat import slots
from schedsync.calendar.window import week_of
from schedsync.core.applied_files import AppliedFiles
from schedsync.core.journal_data import packed, packed_text
from schedsync.core.origin import recorded_commit
from schedsync.core.timing import Interval
from schedsync.database.applied_files import kept_digest, note_commit, write_alone
from schedsync.database.clock import now
from schedsync.database.faults import reason_of
from schedsync.planning.desired_document import KeptDesired, desired_text
from schedsync.planning.plan import Plan
from schedsync.usecases.target import Target

logger = logging.getLogger(__name__)
#: Of more schedules no load is kept: it would make an apply wait.
MOST_OF_LOAD = 20_000


def applied_files(target: Target, plan: Plan) -> AppliedFiles:
    """Return what is kept of the files of a plan; nothing has a digest where they define no schedule."""
    text = _text(target, plan)
    return _with_documents(_facts(plan, text), text, plan)


def _text(target: Target, plan: Plan) -> str:
    return desired_text(_kept(target, plan)) if plan.desired.schedules else ""


def _kept(target: Target, plan: Plan) -> KeptDesired:
    return KeptDesired(plan.desired, target.limits.grace, target.limits.freezes)


def _facts(plan: Plan, text: str) -> AppliedFiles:
    digest = hashlib.sha256(text.encode()).hexdigest() if text else ""
    return AppliedFiles(plan.set, plan.binding.environment, recorded_commit(plan.binding), plan.now, digest)


def _with_documents(facts: AppliedFiles, text: str, plan: Plan) -> AppliedFiles:
    if not facts.digest:
        return facts
    return replace(facts, desired=packed_text(text), load=_load(plan))


def _load(plan: Plan) -> bytes:
    schedules = plan.desired.schedules
    if len(schedules) > MOST_OF_LOAD:
        return b""
    last_runs = {
        name: row.last_run_at
        for name, schedule in schedules.items()
        if isinstance(schedule.spec.timing, Interval)
        and (row := plan.observed.rows.get(name)) is not None
        and row.last_run_at is not None
    }
    load = load_of(schedules.values(), week_of(plan.now, last_runs), slots)
    return packed(load_document(KeptLoad(load, crowds(load, slots))))


def keep_up_to_date(target: Target, plan: Plan) -> None:
    """Keep the files of an apply that changes nothing, where they are of another commit or say something else.

    This costs one query where the commit is known. It writes without the apply lock, because the rows are only read by
    people; a database that does not take it is no reason to fail.
    """
    commit = recorded_commit(plan.binding)
    try:
        known = kept_digest(target.using, plan.set, plan.binding.environment)
        if known is not None and commit is not None and known[0] == commit and not plan.binding.dirty:
            return
        text = _text(target, plan)
        facts = replace(_facts(plan, text), at=now())
        if known == (commit, facts.digest) or not (known or facts.digest):
            return
        if known is not None and known[1] == facts.digest:
            note_commit(target.using, facts)
        else:
            write_alone(target.using, _with_documents(facts, text, plan))
    except (DatabaseError, InterfaceError) as error:
        logger.info("what the files say is not kept: %s", reason_of(error, target.using))
