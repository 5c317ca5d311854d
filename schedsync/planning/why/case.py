"""One tick of the past and what is known of its schedule then; and the answers that rules give about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from schedsync.core.journal import Event, JournalRecord, Reign
from schedsync.core.schedule import Spec
from schedsync.core.task_id import task_id
from schedsync.core.why import Answer, Evidence, Facts, Kind, Verdict
from schedsync.planning.why.past import changes_after, changes_until, name_at, spec_at
from schedsync.planning.why.words import clock_at, command, time_at

#: The kinds of changes that write the fields of a schedule.
_APPLIED = frozenset({"create", "update", "adopt", "rename"})


@dataclass(frozen=True)
class Case:
    """A tick that lies in the past."""

    facts: Facts
    tick: datetime

    @cached_property
    def spec(self) -> Spec | None:
        """The fields that the schedule had then."""
        return spec_at(self.facts, self.tick)

    @cached_property
    def records(self) -> list[JournalRecord]:
        """What the journal says of the tick, the latest last."""
        return self.facts.records_of(self.tick)

    def record(self, *events: Event) -> JournalRecord | None:
        """Return the latest record of these events."""
        return next((record for record in reversed(self.records) if record.event in events), None)

    @property
    def task_id(self) -> str:
        """The id of the task of this tick."""
        return task_id(name_at(self.facts, self.tick), self.tick)

    @property
    def is_claimed(self) -> bool:
        """Whether the claim, which is that of the last tick, is of this one."""
        return self.facts.claim is not None and self.facts.claim.tick == self.tick

    @cached_property
    def gap(self) -> tuple[Reign, Reign | None] | None:
        """The Beat that led before the tick and the one that led after it, if nobody led when it fell due."""
        reigns = sorted(self.facts.reigns, key=lambda reign: reign.since)
        before = [reign for reign in reigns if reign.since <= self.tick]
        if not before or any(reign.until is None or reign.until >= self.tick for reign in before):
            return None
        last = max(before, key=lambda reign: reign.until or reign.since)
        return last, next((reign for reign in reigns if reign.since > self.tick), None)

    def time(self, instant: datetime) -> str:
        """Write an instant, with the name of the zone."""
        return time_at(instant, self.spec, self.facts.now)

    def clock(self, instant: datetime) -> str:
        """Write an instant without the name of the zone."""
        return clock_at(instant, self.spec, self.facts.now)

    def sent(
        self, because: str, evidence: Iterable[Evidence], verdict: Verdict = Verdict.SENT, group: str = ""
    ) -> Answer:
        """Return the answer that a message was sent, or perhaps; ``because`` continues the sentence."""
        how = "was sent" if verdict is Verdict.SENT else "was perhaps sent"
        sentence = f"{self.facts.name} {how} for {self.time(self.tick)}{because}"
        words = f"{how.removeprefix('was ')}{because}"
        return Answer(self.tick, verdict, sentence, words, tuple(evidence), self.task_id, group=group)

    def not_sent(self, verdict: Verdict, because: str, evidence: Iterable[Evidence], *way_out: str) -> Answer:
        """Return the answer that no message was sent, and why."""
        sentence = f"{self.facts.name} did not run at {self.time(self.tick)}: {because}"
        return Answer(self.tick, verdict, sentence, because, tuple(evidence), way_out=tuple(way_out))

    def missed(self, verdict: Verdict, because: str, evidence: Iterable[Evidence]) -> Answer:
        """Return the same of a tick that somebody may want to run by hand."""
        return self.not_sent(verdict, because, evidence, command("run", self.facts.name))


def seen(words: str, source: str, at: datetime | None = None) -> Evidence:
    """Return what a record says."""
    return Evidence(Kind.SEEN, words, source, at)


def decided(words: str, source: str, at: datetime | None = None) -> Evidence:
    """Return what somebody decided."""
    return Evidence(Kind.DECIDED, words, source, at)


def inferred(words: str, source: str = "timing") -> Evidence:
    """Return what follows from other things."""
    return Evidence(Kind.INFERRED, words, source)


def unknown(words: str, source: str) -> Evidence:
    """Return what nobody knows."""
    return Evidence(Kind.UNKNOWN, words, source)


def where_from(case: Case) -> str:
    """Write the place in the files, and who applied which commit before the tick; empty for an unmanaged row."""
    managed = case.facts.managed
    if managed is None:
        return ""
    place = managed.location
    text = ", ".join(filter(None, (f"{place.path}:{place.line}" if place else "", _applied(case))))
    return f"({text})" if text else ""


def _applied(case: Case) -> str:
    """Write the commit that was applied last before the tick, and by whom; by the ledger if no record says it."""
    facts = case.facts
    last = next((change for change in changes_until(facts, case.tick) if change.kind in _APPLIED), None)
    if last is not None:
        return f"{last.commit[:12]} by {last.who}" if last.commit else f"applied by {last.who}"
    commit = facts.managed.commit if facts.managed else None
    was_applied_later = any(change.kind in _APPLIED for change in changes_after(facts, case.tick))
    return commit[:12] if commit and not was_applied_later else ""
