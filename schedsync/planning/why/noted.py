"""What Beat noted of a tick: its claim, the journal, and the last failure to send."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from schedsync.core.journal import Event, JournalRecord, Passed
from schedsync.core.open_run import run_of_reason
from schedsync.core.why import Answer, Evidence, Stop, Verdict
from schedsync.planning.why.case import Case, decided, inferred, seen, where_from
from schedsync.planning.why.words import beat_of, gap_text, late_text, lateness_words, missed_words, run_text, stop_text

#: In seconds: a tick that was sent later than this needs an explanation.
_LATE = 5.0
#: Between two records of one outage of the broker.
_SEAM = timedelta(milliseconds=10)
#: Other reasons come first: who disabled the row tells more than that Beat no longer had it.
_WEAK = frozenset({Passed.GONE.value, Passed.ENABLED_AGAIN.value})
_PASSED = {
    Passed.NEWER.value: "a newer tick was due too, and only that one is sent",
    Passed.DEADLINE.value: "it was too late to be sent",
    Passed.MISSED.value: "it fell due before this Beat led",
    Passed.ENABLED_AGAIN.value: "its row was disabled when it fell due",
    Passed.GONE.value: "its row was disabled, deleted or broken before it was sent",
    Passed.MOVED.value: "the time of its clocked schedule was moved",
    Passed.MAYBE_SENT.value: "an earlier Beat claimed it, and may have sent it: it is not sent again",
}


def sent_by_journal(case: Case) -> Answer | None:
    """Answer for a tick that the journal knows as sent."""
    record = case.record(Event.SENT)
    if record is None:
        return None
    late = record.late or 0.0
    evidence = [*_claim(case), seen(_sent_words(case, record), "journal", record.first), *_refusals(case)]
    if record.again:
        evidence.append(seen("an earlier Beat had claimed it, and may have sent it too, under the same id", "journal"))
    return _sent_by(case, beat_of(case.facts, record.epoch, record.beat), late, evidence)


def _sent_by(case: Case, beat: str, late: float, evidence: list[Evidence]) -> Answer:
    why = _why_late(case, late, evidence)
    group = f"sent by {beat}" if late < _LATE else ""
    return case.sent(f" by {beat}, {late_text(late)}{why}", evidence, group=group)


def _sent_words(case: Case, record: JournalRecord) -> str:
    late = late_text(record.late or 0.0)
    return f"{beat_of(case.facts, record.epoch, record.beat)} sent it, {late}"


def _why_late(case: Case, late: float, evidence: list[Evidence]) -> str:
    """Return why a tick was sent late, as the end of a sentence, and add the evidence for it."""
    if late < _LATE:
        return ""
    if case.gap is not None:
        evidence.extend(_gap_evidence(case))
        return f": {gap_text(case.gap, case.spec, case.facts.now)}"
    if trouble := list(_broker(case)) or list(_refusals(case)):
        evidence.extend(_broker(case))
        return f": {trouble[0].words}"
    stop = _full_pause(case)
    if stop is None:
        return ""
    words = stop_text(stop, case.spec, case.facts.now)
    evidence.append(decided(words, "audit", stop.since))
    return f": {words}"


def _gap_evidence(case: Case) -> Iterator[Evidence]:
    if case.gap is None:
        return
    before, after = case.gap
    if before.until is not None:
        ended = f": {before.reason}" if before.reason else ""
        how = "no longer led from" if before.until_known else "gave its last sign of life at"
        yield seen(f"{before.beat} {how} {case.clock(before.until)}{ended}", "journal", before.until)
    if after is not None:
        yield seen(f"{after.beat} has led since {case.clock(after.since)}, epoch {after.epoch}", "journal", after.since)


def _broker(case: Case) -> Iterator[Evidence]:
    for first, last, reason in _outages(case.facts.journal.records):
        if first <= case.tick <= last:
            span = f"from {case.clock(first)} to {case.clock(last)}"
            yield seen(f"the broker could not be reached {span}: {reason}", "journal", first)


def _outages(records: Iterable[JournalRecord]) -> Iterator[tuple[datetime, datetime, str]]:
    """Yield when the broker was away: a record ends with its segment of the journal, and the next one goes on."""
    away = sorted((each.first, each.last, each.reason) for each in records if each.event is Event.UNREACHABLE)
    found: list[tuple[datetime, datetime, str]] = []
    for first, last, reason in away:
        if found and first <= found[-1][1] + _SEAM:
            found[-1] = (found[-1][0], max(last, found[-1][1]), found[-1][2])
        else:
            found.append((first, last, reason))
    yield from found


def _refusals(case: Case) -> Iterator[Evidence]:
    record = case.record(Event.REFUSED)
    if record is not None:
        yield seen(f"the broker refused it at {case.clock(record.at)}: {record.reason}", "journal", record.at)


def _claim(case: Case) -> Iterator[Evidence]:
    claim = case.facts.claim
    if claim is not None and case.is_claimed:
        state = "and has finished it" if claim.confirmed else "and has not finished it"
        beat = beat_of(case.facts, claim.epoch)
        yield seen(f"{beat} claimed it, {late_text(claim.at - case.tick)}, {state}", "claim", claim.at)


def not_sent_by_journal(case: Case) -> Answer | None:
    """Answer for a tick of which the journal says that it is not sent, and will not be."""
    record = case.record(Event.GIVEN_UP, Event.UNSURE, Event.PASSED_OVER, Event.PAUSED, Event.EXPIRED)
    if record is None or (record.event is Event.PASSED_OVER and record.reason in _WEAK):
        return None
    if record.event is Event.UNSURE:
        words = f"the connection broke while {record.beat} sent it: {record.reason}"
        return case.sent(f": {words}", [seen(words, "journal", record.at)], Verdict.UNSURE)
    if record.reason == Passed.MAYBE_SENT:
        words = _passed_words(case, record)
        return case.sent(f": {_PASSED[record.reason]}", [seen(words, "journal", record.at)], Verdict.UNSURE)
    if record.event is Event.GIVEN_UP:
        words = f"{record.beat} gave the message up: {record.reason}"
        return case.missed(Verdict.GIVEN_UP, words, [seen(words, "journal", record.at)])
    if record.event is Event.PASSED_OVER:
        return _passed_over(case, record)
    return _stopped(case, record)


def _passed_over(case: Case, record: JournalRecord) -> Answer:
    words = _reason_words(case, record)
    evidence = [*_gap_evidence(case), *_broker(case), seen(_passed_words(case, record), "journal", record.at)]
    if case.spec is not None and record.reason in (Passed.NEWER, Passed.DEADLINE, Passed.MISSED):
        by_deadline = record.reason == Passed.DEADLINE
        field = lateness_words(case.spec, case.facts.cron_deadline) if by_deadline else missed_words(case.spec)
        evidence.append(decided(f"{field} passed the tick over {where_from(case)}".rstrip(), "ledger"))
    if run_of_reason(record.reason) is not None:
        evidence.append(_by_overlap(case))
    elif case.gap is not None:
        words = gap_text(case.gap, case.spec, case.facts.now)
    return case.missed(Verdict.PASSED_OVER, words, evidence)


def _passed_words(case: Case, record: JournalRecord) -> str:
    """Write what Beat noted; passed over are often many ticks at once."""
    words = f"{beat_of(case.facts, record.epoch, record.beat)} passed it over at {case.clock(record.at)}"
    if record.first == record.last:
        return f"{words}: {_reason_words(case, record)}"
    count = "all" if record.count is None else f"{record.count:,}"
    return f"{words}, with {count} ticks from {case.clock(record.first)} to {case.clock(record.last)}"


def _reason_words(case: Case, record: JournalRecord) -> str:
    """Write why Beat passed a tick over."""
    run = run_of_reason(record.reason)
    if run is None:
        return _PASSED.get(record.reason, record.reason)
    return f"skipped, {run_text(run, case.spec, case.facts.now)}"


def _by_overlap(case: Case) -> Evidence:
    return decided(f"`overlap: skip` passed the tick over {where_from(case)}".rstrip(), "ledger")


def _stopped(case: Case, record: JournalRecord) -> Answer:
    if record.event is Event.EXPIRED:
        words = "its end, `expires_at`, came before it was sent"
        return case.not_sent(Verdict.EXPIRED, words, [seen(words, "journal", record.at)])
    stop = _full_pause(case)
    noted = seen(f"{record.beat} left it out at {case.clock(record.at)}", "journal", record.at)
    words = stop_text(stop, case.spec, case.facts.now) if stop else f"everything was paused {record.reason}".strip()
    evidence = [noted, *([decided(words, "audit", stop.since)] if stop else [])]
    return case.missed(Verdict.PAUSED, words, evidence)


def of_claim(case: Case) -> Answer | None:
    """Answer for the last tick that was claimed, by its claim and the last failure."""
    claim, failure = case.facts.claim, case.facts.not_sent
    failed = failure if failure is not None and failure.tick == case.tick else None
    if failed is not None and failed.given_up:
        words = f"the message can never be sent: {failed.reason}"
        return case.missed(Verdict.GIVEN_UP, words, [seen(words, "failure", failed.at)])
    if claim is None or not case.is_claimed or case.record(Event.PASSED_OVER):
        return None
    if claim.passed_by:
        words = "its last run had not ended"
        return case.missed(Verdict.PASSED_OVER, words, [seen(words, "claim", claim.at), _by_overlap(case)])
    if claim.confirmed:
        # Beat also finishes the claim of a tick that it drops. It says so in the journal, a heartbeat later.
        words = "its claim is finished, and no record says that it was dropped: so it was sent"
        evidence = [*_claim(case), *_refusals(case), inferred(words, "claim")]
        late = (claim.at - case.tick).total_seconds()
        return _sent_by(case, beat_of(case.facts, claim.epoch), late, evidence)
    if failed is not None:
        words = f"the broker refused it: {failed.reason}"
        again = f"the broker refused it at {case.clock(failed.at)}: {failed.reason}; Beat tries again"
        return case.missed(Verdict.REFUSED, words, [*_claim(case), seen(again, "failure", failed.at)])
    unsure = ": it was claimed, and nobody has confirmed that it was sent"
    return case.sent(unsure, [*_claim(case), *_refusals(case)], Verdict.UNSURE)


def _full_pause(case: Case) -> Stop | None:
    return next((stop for stop in case.facts.stops if stop.everything and stop.covers(case.tick)), None)


def _span(case: Case, record: JournalRecord) -> str:
    """Write for how long a row was broken, which Beat notes when it is mended."""
    first, last = case.clock(record.first), case.clock(record.last)
    return f"since {first}" if record.first == record.last else f"from {first} to {last}"


def of_failure(case: Case) -> Answer | None:
    """Answer for a tick that was refused, edited or broken, and of which no later record says more."""
    record = case.record(Event.REFUSED, Event.EDITED, Event.BROKEN, Event.GONE, Event.PASSED_OVER)
    if record is None:
        return None
    at = case.clock(record.at)
    if record.event is Event.REFUSED:
        words = f"the broker refused it: {record.reason}"
        return case.missed(Verdict.REFUSED, words, [seen(f"{words} (at {at})", "journal", record.at)])
    if record.event is Event.EDITED:
        words = f"its row was edited at {at}, after its claim"
        return case.missed(Verdict.EDITED, words, [seen(words, "journal", record.at)])
    if record.event is Event.BROKEN:
        words = f"its row could not run {_span(case, record)}: {record.reason}"
        left_out = seen(f"{record.beat} left the row out, and ran the others", "journal", record.at)
        return case.missed(Verdict.BROKEN, words, [seen(words, "journal", record.at), left_out])
    if record.event is Event.PASSED_OVER:
        return _passed_over(case, record)
    words = f"its row was disabled or deleted by {at}"
    return case.missed(Verdict.EDITED, words, [seen(words, "journal", record.at)])
