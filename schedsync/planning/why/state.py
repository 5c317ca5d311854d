"""Why the state of a schedule kept a tick from being sent: not there, not enabled, stopped, at its end, or broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import NamedTuple

from schedsync.core.journal import Event, JournalRecord
from schedsync.core.observed import Managed
from schedsync.core.removing import Removing
from schedsync.core.schedule import completed_at
from schedsync.core.timing import Clocked
from schedsync.core.why import Answer, Evidence, Facts, Recorded, Stop, Verdict
from schedsync.planning.why.case import Case, decided, inferred, seen, unknown, where_from
from schedsync.planning.why.past import by, changes_until
from schedsync.planning.why.words import command, stop_text


def not_there(case: Case) -> Answer | None:
    """Answer for a tick before the schedule was created, or while it was deleted."""
    turns = sorted(_turns(case), key=lambda turn: turn.at)
    # The first tick of a schedule comes after its creation.
    before = [turn for turn in turns if turn.at < case.tick or (turn.at == case.tick and not turn.is_there)]
    if before:
        last = before[-1]
        if last is turns[-1] and case.facts.row is not None:
            # No record says when the row was made again.
            return _before_first_edit(case)
        return None if last.is_there else case.not_sent(Verdict.DELETED, last.said.words, [last.said])
    if turns and turns[0].is_there:
        return case.not_sent(Verdict.NOT_CREATED, turns[0].said.words, [turns[0].said])
    return _before_first_edit(case)


class _Turn(NamedTuple):
    """When a schedule came or went, and what says so."""

    at: datetime
    is_there: bool
    said: Evidence


def _turns(case: Case) -> Iterator[_Turn]:
    for change in case.facts.recorded:
        if change.kind in ("create", "delete"):
            is_there = change.kind == "create"
            words = f"it was {'created' if is_there else 'deleted'} at {case.clock(change.at)} {by(change)}"
            yield _Turn(change.at, is_there, decided(words, "audit", change.at))
    for edit in case.facts.edits:
        if edit.action in ("added", "deleted"):
            words = f"its row was {edit.action} by {edit.user} at {case.clock(edit.at)}"
            yield _Turn(edit.at, edit.action == "added", seen(words, "admin log", edit.at))


def gone_since(case: Case) -> Evidence | None:
    """Return what says that the schedule is deleted; None where it is there."""
    last = max(_turns(case), key=lambda turn: turn.at, default=None)
    return None if case.facts.row is not None or last is None or last.is_there else last.said


def _before_first_edit(case: Case) -> Answer | None:
    row = case.facts.row
    has_run = row is None or row.last_run_at is not None or row.total_run_count or case.facts.claim is not None
    if has_run or row is None or row.date_changed is None or case.tick >= row.date_changed:
        return None
    words = f"it has never run, and counts from the last change of its row at {case.clock(row.date_changed)}"
    return case.not_sent(Verdict.NOT_CREATED, words, [inferred(words, "row")])


def removed(case: Case) -> Answer | None:
    """Answer for a tick since no file defines the schedule any more, and it waits to be deleted."""
    managed = case.facts.managed
    if managed is None or managed.removing is None or case.tick < managed.removing.since:
        return None
    if runs_in_spite_of_removal(case.facts):
        return None
    said = decided(removed_text(managed, managed.removing, case.clock), "ledger", managed.removing.since)
    return case.not_sent(Verdict.DISABLED, said.words, [said])


def runs_in_spite_of_removal(facts: Facts) -> bool:
    """Say whether somebody has enabled a schedule that waits to be deleted: until the next apply it runs."""
    is_waiting = facts.managed is not None and facts.managed.removing is not None
    return is_waiting and facts.row is not None and facts.row.spec is not None and facts.row.spec.enabled


def removed_text(managed: Managed, removing: Removing, clock: Callable[[datetime], str]) -> str:
    """Write that a schedule is being removed, since when, and when it is deleted; ``clock`` writes an instant."""
    commit = f" in commit {managed.commit[:12]}" if managed.commit else ""
    since, until = clock(removing.since), clock(removing.until)
    return f"removed from the files{commit}, disabled at {since}, deleted after {until}"


def outside_its_time(case: Case) -> Answer | None:
    """Answer for a tick before the start of the schedule, or after its end."""
    spec = case.spec
    if spec is None:
        return None
    if spec.start_at is not None and case.tick < spec.start_at:
        words = f"it starts at {case.clock(spec.start_at)}"
        said = decided(f"`start_at` says so {where_from(case)}".rstrip(), "ledger" if case.facts.managed else "row")
        return case.not_sent(Verdict.NOT_STARTED, words, [said])
    if spec.expires_at is not None and case.tick >= spec.expires_at:
        words = f"it ended at {case.clock(spec.expires_at)}"
        said = decided(f"`expires_at` says so {where_from(case)}".rstrip(), "ledger" if case.facts.managed else "row")
        return case.not_sent(Verdict.EXPIRED, words, [said])
    return _completed(case)


def _completed(case: Case) -> Answer | None:
    """Answer for a tick after the only run of a one-off."""
    spec, row, claim = case.spec, case.facts.row, case.facts.claim
    if spec is None or not spec.one_off or isinstance(spec.timing, Clocked) or row is None or not row.total_run_count:
        return None
    ran = claim.tick if claim is not None else row.last_run_at
    if ran is None or ran >= case.tick:
        return None
    words = f"it runs once, and has run at {case.clock(ran)}"
    return case.not_sent(Verdict.COMPLETED, words, [seen(words, "claim" if claim is not None else "row", ran)])


def disabled(case: Case) -> Answer | None:
    """Answer for a tick at which the files, or an unmanaged row, had the schedule disabled."""
    spec, facts = case.spec, case.facts
    if spec is None or spec.enabled:
        return None
    if facts.managed is None and facts.row is not None:
        return _disabled_in_tables(case)
    change = next((each for each in changes_until(facts, case.tick) if _disables(each)), None)
    if change is not None:
        reason = f": {change.disabled_reason}" if change.disabled_reason else ""
        words = f"disabled at {case.clock(change.at)} {by(change)}{reason}"
        return case.not_sent(
            Verdict.DISABLED, words, [decided(f"{words} {where_from(case)}".rstrip(), "audit", change.at)]
        )
    if any(stop.covers(case.tick) and not stop.everything for stop in facts.stops):
        # The apply that ended a pause says that the row was disabled before it.
        return None
    people = facts.managed.people if facts.managed else None
    reason = f": {people.disabled_reason}" if people and people.disabled_reason else ""
    words = f"the files have it disabled{reason}"
    return case.not_sent(Verdict.DISABLED, words, [decided(f"{words} {where_from(case)}".rstrip(), "ledger")])


def _disables(change: Recorded) -> bool:
    enabled = change.change_of("enabled")
    return enabled is not None and enabled.after is False


def _disabled_in_tables(case: Case) -> Answer | None:
    facts = case.facts
    edit = next((edit for edit in facts.edits if edit.action == "changed"), None)
    if is_done(facts):
        return None
    if edit is not None:
        if edit.at > case.tick:
            return None
        words = f"its row is disabled; {edit.user} edited it last, at {case.clock(edit.at)}"
        return case.missed(Verdict.DISABLED, words, [seen(words, "admin log", edit.at)])
    changed = facts.row.date_changed if facts.row else None
    if changed is not None and changed > case.tick:
        return None
    words = "its row is disabled, and nobody manages it"
    return case.missed(
        Verdict.DISABLED, words, [seen(words, "row"), unknown("no record says who disabled it", "admin log")]
    )


def is_done(facts: Facts) -> bool:
    """Say whether Beat itself disables the row, because it has no run left."""
    row = facts.row
    return row is not None and row.spec is not None and (row.is_done(facts.now) or completed_at(row.spec, facts.now))


def stopped(case: Case) -> Answer | None:
    """Answer for a tick that fell due while the schedule or everything was paused."""
    stops = [stop for stop in case.facts.stops if stop.covers(case.tick)]
    if not stops:
        return None
    stop = min(stops, key=lambda stop: stop.everything)
    words = stop_text(stop, case.spec, case.facts.now)
    evidence = [decided(stop_text(each, case.spec, case.facts.now), _source(each), each.since) for each in stops]
    return case.not_sent(Verdict.PAUSED, words, evidence, *resume_of(case.facts, stop))


def _source(stop: Stop) -> str:
    return "pause" if stop.lasts else "audit"


def resume_of(facts: Facts, stop: Stop) -> tuple[str, ...]:
    """Return the command that ends a stop, or that makes up for the tick where it has ended."""
    if not stop.lasts:
        return (command("run", facts.name),)
    return ("resume --all",) if stop.everything else (command("resume", facts.name),)


def held(case: Case) -> Answer | None:
    """Answer for a tick at which a human had disabled the row of a managed schedule."""
    since = held_since(case.facts)
    if since is None or since[0] > case.tick:
        return None
    at, user = since
    words = held_text(since, case.clock(at))
    row = seen("its row is disabled, and the files have it enabled", "row")
    edit = (
        seen(f"{user} edited the row", "admin log", at)
        if user
        else unknown("the admin's log names nobody", "admin log")
    )
    gone = [seen(f"Beat no longer had it at {case.clock(each.at)}", "journal", each.at) for each in _gone(case)]
    return case.not_sent(Verdict.HELD, words, [row, edit, *gone], command("resume", case.facts.name))


def _gone(case: Case) -> list[JournalRecord]:
    return [
        record for record in case.facts.journal.records if record.event is Event.GONE and record.first <= case.tick
    ][-1:]


def held_text(since: tuple[datetime, str], at: str) -> str:
    """Write who holds a schedule, and since when."""
    return f"held by {since[1]} since {at}" if since[1] else f"held by an unknown user, some time after {at}"


def held_since(facts: Facts) -> tuple[datetime, str] | None:
    """Return since when a human holds the schedule, and who; None where it is not held.

    Where the admin's log names nobody, who is "", and the time is that of the last thing that is known before.
    """
    row, managed = facts.row, facts.managed
    is_stopped = row is not None and row.spec is not None and not row.spec.enabled
    own_pause = any(stop.lasts and not stop.everything for stop in facts.stops)
    if row is None or managed is None or not is_stopped or not managed.was_enabled or own_pause or is_done(facts):
        return None
    edits = [edit for edit in facts.edits if edit.action == "changed" and _is_since(edit.at, facts.applied_at)]
    if edits:
        # The last edit may be of another field; the log names fields as its language does.
        edit = next((edit for edit in edits if any("enabled" in field.casefold() for field in edit.fields)), edits[0])
        return edit.at, edit.user
    claimed = facts.claim.tick if facts.claim else None
    times = [at for at in (row.date_changed, row.last_run_at, claimed, facts.applied_at) if at is not None]
    return max(times, default=facts.now), ""


def _is_since(at: datetime, applied_at: datetime | None) -> bool:
    return applied_at is None or at >= applied_at


def broken(case: Case) -> Answer | None:
    """Answer for a tick of a row that cannot run as it is now."""
    row = case.facts.row
    problem = broken_now(case.facts)
    if row is None or not problem:
        return None
    words = f"its row cannot run: {problem}"
    evidence = [seen(words, "row")]
    if case.facts.beats.live:
        evidence.append(inferred("a Beat of schedsync's own leaves the row out, and runs the others", "row"))
    if row.date_changed is not None and row.date_changed > case.tick:
        evidence.append(inferred(f"the row was changed since, at {case.clock(row.date_changed)}", "row"))
    return case.missed(Verdict.BROKEN, words, evidence)


def broken_now(facts: Facts) -> str:
    """Return why Beat cannot run the row, or ""."""
    row = facts.row
    if row is None:
        return ""
    return row.problems[0].message if row.problems else facts.beats.broken.get(row.name, "")
