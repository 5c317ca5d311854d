"""Explains why a schedule ran at a tick, or did not: reads what is known of it, and asks the result backend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from schedsync.calendar.clock_times import ClockTime
from schedsync.core.finding import did_you_mean
from schedsync.core.names import shortened
from schedsync.core.why import Answer, Explanation, Facts, Outcome
from schedsync.database import why_rows
from schedsync.database.beats import lease_seconds
from schedsync.database.clock import now
from schedsync.database.faults import database_errors
from schedsync.database.ledger import applied_at
from schedsync.database.rollbacks import rolled_back_by_holder
from schedsync.database.use_tz import require_use_tz
from schedsync.database.why_records import read_records, table_edits
from schedsync.errors import UnknownSchedule
from schedsync.planning.why.explain import explain, span_needed
from schedsync.planning.why.outcomes import with_outcome

#: A name that was renamed again and again is followed this often.
_MOST_RENAMES = 5


def why(
    using: str,
    name: str,
    at: ClockTime | None = None,
    since: ClockTime | timedelta | None = None,
    outcomes: Callable[[list[str]], dict[str, Outcome]] | None = None,
) -> Explanation:
    """Explain the last and the next tick of a schedule, or the tick at a time; with ``since`` list all since then.

    A timedelta counts back from now. ``outcomes`` asks the result backend for tasks by their ids. Raises
    UnknownSchedule where no schedule has or had this name, Unavailable where the database is not there or not migrated.
    """
    require_use_tz()
    time = now()
    start = ClockTime("", time - since) if isinstance(since, timedelta) else since
    with database_errors(using):
        facts = _facts(using, name, time)
        needed = span_needed(facts, at, start)
        row_id = facts.row_id
        if row_id is not None:
            journal, reigns = why_rows.journal_of(using, row_id, *needed, time)
            facts = replace(facts, journal=journal, reigns=reigns)
    explanation = explain(facts, name, at, start)
    return explanation if outcomes is None else _with_outcomes(explanation, outcomes)


def _facts(using: str, asked: str, time: datetime) -> Facts:
    records = read_records(using)
    name, found = asked, why_rows.find(using, asked)
    for _ in range(_MOST_RENAMES):
        new = None if found.is_there else records.renamed_to(name)
        if new is None:
            break
        name, found = new, why_rows.find(using, new)
    recorded = records.of(name)
    row, managed = found
    row_id = row.id if row else next((each.row_id for each in recorded if each.row_id is not None), None)
    edits = table_edits(row_id, name)
    if not found.is_there and not recorded and not edits:
        hint = did_you_mean(asked, why_rows.known_names(using)) or "`schedsync list` shows the names"
        message = f"no schedule is named `{shortened(asked)}`, and none was, as far as the records go"
        raise UnknownSchedule(message, hint=hint)
    if row is not None:
        name = row.name
    names = {name, *(each.old_name for each in recorded if each.old_name), *([managed.name] if managed else [])}
    return Facts(
        name=name,
        now=time,
        row=row,
        row_id=row_id,
        managed=managed,
        applied_at=applied_at(using, [managed.name]).get(managed.name) if managed else None,
        claim=None if row_id is None else why_rows.claim_of(using, row_id),
        not_sent=None if row_id is None else why_rows.failure_of(using, row_id),
        stops=records.stops(names, why_rows.stops_now(using, managed.name if managed else name, row, time)),
        recorded=tuple(recorded),
        recorded_since=records.since,
        edits=edits,
        past_runs=records.past_runs(),
        beats=why_rows.beats_now(using),
        cron_deadline=why_rows.cron_deadline(),
        lease=lease_seconds(),
        rolled_back=next(iter(rolled_back_by_holder(using, name)), None),
        open_run=None if row is None else why_rows.open_run(using, row),
    )


def _with_outcomes(explanation: Explanation, ask: Callable[[list[str]], dict[str, Outcome]]) -> Explanation:
    """Return the explanation with the outcomes of its tasks, as far as the result backend knows them."""
    answers = (explanation.answer, explanation.before, explanation.following)
    ids = [answer.task_id for answer in answers if answer is not None and answer.task_id is not None]
    known = ask(ids) if ids else {}

    def told(answer: Answer) -> Answer:
        outcome = known.get(answer.task_id or "")
        return answer if outcome is None else with_outcome(explanation.name, answer, outcome, explanation.at)

    return replace(
        explanation,
        answer=told(explanation.answer),
        before=explanation.before and told(explanation.before),
        following=explanation.following and told(explanation.following),
    )
