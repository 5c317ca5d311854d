"""The rules about a tick of the past, in the order in which they are asked: the first answer counts.

A record of what happened comes before a decision, and a decision before what only follows from the timing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from schedsync.calendar.overdue import lateness_of
from schedsync.calendar.ticks import GRACE, last_tick, tick_after
from schedsync.core.journal import Reign
from schedsync.core.names import counted
from schedsync.core.why import Answer, Evidence, Facts, Recorded, TableEdit, Verdict
from schedsync.planning.why.by_hand import with_run_by_hand
from schedsync.planning.why.case import Case, decided, inferred, seen, unknown, where_from
from schedsync.planning.why.noted import not_sent_by_journal, of_claim, of_failure, sent_by_journal
from schedsync.planning.why.past import by
from schedsync.planning.why.state import broken, disabled, held, not_there, outside_its_time, removed, stopped
from schedsync.planning.why.ticks import next_tick, refused_tick
from schedsync.planning.why.words import command, gap_text, late_text, lateness_words, missed_words, span_text

Rule = Callable[[Case], Answer | None]

#: Stock Beat saves its runs every three minutes.
_SAVES = timedelta(minutes=5)
#: Fields whose edit moves the next run.
_MOVING = ("timing", "enabled", "start_at")


def nobody_led(case: Case) -> Answer | None:
    """Answer for a tick that fell due while no Beat led."""
    if case.gap is None or _runs_by_stock_beat(case):
        return None
    before, after = case.gap
    if _may_have_led(case, before):
        return no_record(case, _of_a_killed_beat(case, before))
    words = gap_text(case.gap, case.spec, case.facts.now)
    evidence = [seen(words, "journal", before.until)]
    if after is None:
        return case.missed(Verdict.NOBODY_LED, words, evidence)
    if case.spec is not None:
        evidence.append(_by_lateness(case, after.since))
    return case.missed(Verdict.NOBODY_LED, words, evidence)


def _may_have_led(case: Case, reign: Reign) -> bool:
    """Say whether a Beat that was killed may still have sent the tick: its last records are lost."""
    lease = timedelta(seconds=case.facts.lease)
    return not reign.until_known and reign.until is not None and case.tick <= reign.until + lease


def _of_a_killed_beat(case: Case, reign: Reign) -> Iterator[Evidence]:
    yield inferred("the timing has a tick then")
    if reign.until is not None:
        yield seen(f"{reign.beat} gave its last sign of life at {case.clock(reign.until)}", "journal", reign.until)
    yield unknown("it did not end in good order, so its last records are lost", "journal")


def _by_lateness(case: Case, since: datetime) -> Evidence:
    """Say what the next leader does with the tick, which no record says."""
    spec = case.spec
    if spec is None:
        return unknown("nothing is known of its fields then", "audit")
    field = lateness_words(spec, case.facts.cron_deadline)
    has_deadline = lateness_of(spec, case.facts.cron_deadline).deadline is not None
    if spec.missed_runs == "none" and not has_deadline and case.tick < since - GRACE:
        return decided(f"{field} passed the tick over {where_from(case)}".rstrip(), "ledger")
    if spec.missed_runs == "latest" and (last := last_tick(spec.timing, case.tick, since)) != case.tick:
        return inferred(f"{missed_words(spec)} sends only the newest missed tick, {case.clock(last)}", "ledger")
    return unknown(f"{field} lets the next leader send it late, and no record says whether it did", "journal")


def counts_from_an_edit(case: Case) -> Answer | None:
    """Answer for a tick that an edit of the row left behind: Beat counts from a later time."""
    facts = case.facts
    claimed_later = facts.claim is not None and facts.claim.tick > case.tick
    edit = _first_edit(case)
    if edit is None or (facts.claim is not None and not claimed_later and not _counts_later(case)):
        return None
    if facts.claim is None and not _counts_later(case):
        return None
    at, words, source = edit
    ran = _ran_by_stock_beat(case.facts)
    if ran is not None and case.tick <= ran < at:
        return None
    evidence = [seen(words, source, at), inferred(f"since then its ticks count from {case.clock(at)}", "row")]
    return case.missed(Verdict.EDITED, words, evidence)


def _counts_later(case: Case) -> bool:
    owed = next_tick(case.facts)
    return owed is None or owed > case.tick


def _first_edit(case: Case) -> tuple[datetime, str, str] | None:
    """Return the first edit that moved the next run, between the tick and the one after it."""
    spec = case.spec
    following = tick_after(spec.timing, case.tick) if spec else None
    end = following or case.facts.now
    found = [*_applies(case.facts.recorded, case, end), *_table_edits(case.facts.edits, case, end)]
    return min(found, default=None)


def _applies(recorded: Sequence[Recorded], case: Case, end: datetime) -> Iterator[tuple[datetime, str, str]]:
    for change in recorded:
        fields = [name for name in _MOVING if change.change_of(name)]
        if case.tick <= change.at < end and (fields or change.verb == "resume"):
            what = f"its {' and '.join(fields)} changed" if fields else "it was resumed"
            yield change.at, f"{what} at {case.clock(change.at)} {by(change)}", "audit"


def _table_edits(edits: Sequence[TableEdit], case: Case, end: datetime) -> Iterator[tuple[datetime, str, str]]:
    for edit in edits:
        if edit.action == "changed" and case.tick <= edit.at < end:
            fields = f" ({', '.join(edit.fields)})" if edit.fields else ""
            yield edit.at, f"{edit.user} edited its row at {case.clock(edit.at)}{fields}", "admin log"


def by_stock_beat(case: Case) -> Answer | None:
    """Answer for a schedule that stock Beat runs, or did last: all that it leaves is its last run."""
    row, claim = case.facts.row, case.facts.claim
    if row is None or (claim is not None and not _runs_by_stock_beat(case)):
        return None
    ran = row.last_run_at
    if case.facts.beats.live and (ran is None or ran < case.tick):
        return None
    if ran is None or ran < case.tick:
        return _not_by_stock_beat(case, ran)
    if claim is not None:
        return no_record(
            case, [seen(f"its row's last run, at {case.clock(ran)}, is of no Beat that claims", "row", ran)]
        )
    following = tick_after(case.spec.timing, case.tick) if case.spec else None
    if following is None or ran < following:
        words = f" by a Beat that claims nothing, {late_text(ran - case.tick)}"
        said = [seen(f"its last run was at {case.clock(ran)}", "row", ran), inferred("that run was for this tick")]
        return case.sent(words, said)
    words = f"its row keeps only the last run, which was at {case.clock(ran)}"
    return no_record(case, [unknown(words, "row")])


def _runs_by_stock_beat(case: Case) -> bool:
    """Say whether a Beat that claims nothing may have sent the tick: it ran the schedule since, or runs it now."""
    ran = _ran_by_stock_beat(case.facts)
    return ran is not None and (ran >= case.tick or not case.facts.beats.live)


def _ran_by_stock_beat(facts: Facts) -> datetime | None:
    """Return the last run of the row, if it is later than the last claim, and no edit has moved it."""
    ran, claim = facts.row.last_run_at if facts.row else None, facts.claim
    if facts.row is None or ran is None or ran > facts.now or (claim is not None and claim.tick >= ran):
        return None
    moved = {facts.row.date_changed, *(change.at for change in facts.recorded)}
    return None if ran in moved else ran


def _not_by_stock_beat(case: Case, ran: datetime | None) -> Answer:
    facts = case.facts
    last = f"its last run was at {case.clock(ran)}" if ran else "it has never run"
    if facts.now - case.tick < _SAVES:
        late = unknown("stock Beat saves its runs up to three minutes late", "row")
        return no_record(case, [seen(last, "row", ran), late])
    evidence = [seen(last, "row", ran), inferred("the timing has a tick then, and no record of a run")]
    if not facts.beats.ever:
        evidence.append(unknown("stock Beat cannot be seen, so it may not run", "row"))
    return case.missed(Verdict.OVERDUE, f"{last}; no Beat has sent it", evidence)


def overdue(case: Case) -> Answer | None:
    """Answer for a tick that Beat owes, and has not claimed so far."""
    facts = case.facts
    if (facts.claim is not None and facts.claim.tick > case.tick) or _counts_later(case):
        return None
    late = span_text((facts.now - case.tick).total_seconds())
    evidence = [inferred(f"the timing has a tick then, {late} ago, and no Beat has claimed it")]
    if facts.beats.leader is None:
        words = "nobody leads now" if facts.beats.live else "no Beat is live"
        return _owed(case, Verdict.NOBODY_LED, words, [seen(words, "Beat's report"), *evidence])
    leader = f"{facts.beats.leader} leads"
    failed = refused_tick(facts)
    if failed is not None and failed.tick < case.tick:
        words = f"the tick of {case.clock(failed.tick)} waits, because the broker refused it: {failed.reason}"
        return _owed(
            case, Verdict.OVERDUE, words, [seen(f"{words}; Beat tries again", "failure", failed.at), *evidence]
        )
    if facts.beats.broker_trouble:
        words = f"the broker is away: {facts.beats.broker_trouble}"
        return _owed(case, Verdict.OVERDUE, words, [seen(words, "Beat's report"), *evidence])
    return _owed(case, Verdict.OVERDUE, f"due {late} ago, and not sent yet", [seen(leader, "Beat's report"), *evidence])


def _owed(case: Case, verdict: Verdict, words: str, evidence: Sequence[Evidence]) -> Answer:
    return case.not_sent(verdict, words, evidence, "status", command("run", case.facts.name))


def no_record(case: Case, evidence: Iterable[Evidence] = ()) -> Answer:
    """Return the answer that nobody knows; ``evidence`` says why."""
    name, at = case.facts.name, case.time(case.tick)
    because = "no record says whether it was sent"
    known = tuple(evidence) or tuple(_why_unknown(case))
    return Answer(case.tick, Verdict.UNKNOWN, f"{name} was due at {at}, and {because}", because, known, case.task_id)


def _why_unknown(case: Case) -> Iterator[Evidence]:
    yield inferred("the timing has a tick then")
    claim, journal = case.facts.claim, case.facts.journal
    if claim is not None and claim.tick > case.tick:
        yield seen(f"the last tick that a Beat has claimed is {case.clock(claim.tick)}", "claim", claim.at)
    if journal.kept_since is None:
        yield unknown("there is no journal", "journal")
    elif case.tick < journal.kept_since:
        yield unknown(f"the journal begins at {case.clock(journal.kept_since)}", "journal")
    else:
        yield unknown("the journal has no record of it", "journal")
    yield from _gaps_of_journal(case.facts)


def _gaps_of_journal(facts: Facts) -> Iterator[Evidence]:
    journal = facts.journal
    if journal.is_cut:
        yield unknown("the journal holds more than was read; ask for a shorter time", "journal")
    if journal.damaged:
        yield unknown(f"{counted(journal.damaged, 'segment')} of the journal cannot be read", "journal")
    if journal.dropped:
        yield unknown(
            f"{counted(journal.dropped, 'sent tick was', 'sent ticks were')} not kept, of all schedules", "journal"
        )
    if facts.recorded_since is not None:
        yield unknown("older records of applies were not read", "audit")


RULES: Sequence[Rule] = (
    sent_by_journal,
    not_sent_by_journal,
    of_claim,
    not_there,
    removed,
    outside_its_time,
    disabled,
    stopped,
    held,
    of_failure,
    broken,
    nobody_led,
    counts_from_an_edit,
    by_stock_beat,
    overdue,
)


def past_answer(facts: Facts, tick: datetime) -> Answer:
    """Return what became of a tick of the past."""
    case = Case(facts, tick)
    answers = (answer for rule in RULES if (answer := rule(case)) is not None)
    return with_run_by_hand(case, next(answers, None) or no_record(case))
