"""``schedsync why``: each verdict from the facts that it takes, by the pure part alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from schedsync.calendar.clock_times import clock_time
from schedsync.core.change import FieldChange
from schedsync.core.journal import ALL_ROWS, Event, Journal, JournalRecord, Passed, Reign
from schedsync.core.location import Location
from schedsync.core.observed import Managed, Problem, Row
from schedsync.core.schedule import Spec, spec_text
from schedsync.core.task_id import task_id
from schedsync.core.timing import Clocked, Interval, crontab, solar
from schedsync.core.why import (
    Answer,
    BeatsNow,
    Claimed,
    Explanation,
    Facts,
    Kind,
    NotSent,
    Recorded,
    Stop,
    TableEdit,
    Verdict,
)
from schedsync.planning.why.explain import explain

#: A Tuesday.
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=timezone.utc)
#: Tue 02:00 in Berlin.
TICK = datetime(2026, 11, 24, 1, 0, tzinfo=timezone.utc)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
NIGHTLY = crontab({"minute": "0", "hour": "2"}, "Europe/Berlin")
SPEC = Spec("shop.nightly", NIGHTLY)
BEATS = BeatsNow(2, "beat-0:7", NOW - 9 * DAY, ever=True, names={12: "beat-0:7"})
COMMIT = "60eadbb1c0ffee60eadbb1c0ffee60eadbb1c0ff"


def row(spec: Spec | None = SPEC, **columns: Any) -> Row:
    values: dict[str, Any] = {"last_run_at": TICK - DAY, "total_run_count": 9, "date_changed": NOW - 90 * DAY}
    return Row(7, "nightly", spec, **{**values, **columns})


def managed(spec: Spec = SPEC, **columns: Any) -> Managed:
    values: dict[str, Any] = {"location": Location("schedules/reports.yaml", 9, 3), "commit": COMMIT}
    return Managed("nightly", "shop", 7, spec_text(spec), **{**values, **columns})


def facts(spec: Spec = SPEC, **known: Any) -> Facts:
    values: dict[str, Any] = {
        "row": row(spec),
        "managed": managed(replace(spec, enabled=True)),
        "applied_at": NOW - 30 * DAY,
        "claim": Claimed(TICK - DAY, TICK - DAY, 12, confirmed=True),
        "journal": Journal(kept_since=NOW - 30 * DAY),
        "reigns": (Reign(12, "beat-0:7", NOW - 9 * DAY),),
        "beats": BEATS,
    }
    return Facts(name="nightly", now=NOW, **{**values, **known})


def claimed(tick: datetime = TICK, late: float = 0.02, *, confirmed: bool = True) -> Claimed:
    return Claimed(tick, tick + timedelta(seconds=late), 12, confirmed)


def record(event: Event, reason: str = "", **values: Any) -> JournalRecord:
    given: dict[str, Any] = {"row_id": 7, "first": TICK, "last": TICK, "count": 1, "at": TICK + 4 * MINUTE}
    return JournalRecord(name="nightly", event=event, beat="beat-1:9", epoch=13, reason=reason, **{**given, **values})


def journal(*records: JournalRecord) -> Journal:
    return Journal(list(records), kept_since=NOW - 30 * DAY)


#: Nobody led for four minutes around the tick.
OUTAGE = (
    Reign(12, "beat-0:7", NOW - 9 * DAY, TICK - 80 * timedelta(seconds=1), reason="the database was away"),
    Reign(13, "beat-1:9", TICK + timedelta(minutes=3, seconds=10)),
)
JO = Stop("jo", "INC-42 overloaded", TICK - HOUR, TICK + HOUR)
LATER = claimed(TICK + 4 * HOUR)


def change(kind: str, at: datetime, *fields: FieldChange, **values: Any) -> Recorded:
    given: dict[str, Any] = {"who": "maria", "commit": COMMIT}
    return Recorded(kind, "nightly", at, fields=fields, **{**given, **values})


def enabled(*, after: bool) -> FieldChange:
    return FieldChange("enabled", not after, after)


DISABLED = replace(SPEC, enabled=False)
EARLY = crontab({"minute": "0", "hour": "6"}, "Europe/Berlin")

#: A name, the facts, the verdict, the end of the sentence, and the kinds of evidence that it must have.
CASES: tuple[tuple[str, Facts, Verdict, str, set[Kind]], ...] = (
    ("sent", facts(claim=claimed()), Verdict.SENT, "by beat-0:7, 0.02 s late", {Kind.SEEN}),
    (
        "sent, by the journal",
        facts(claim=LATER, journal=journal(record(Event.SENT, late=0.5))),
        Verdict.SENT,
        "by beat-1:9, 0.50 s late",
        {Kind.SEEN},
    ),
    (
        "sent late after an outage",
        facts(claim=claimed(late=190), reigns=OUTAGE),
        Verdict.SENT,
        "3 min 10 s late: nobody led from Tue 24 Nov 01:58:40 to 02:03:10",
        {Kind.SEEN},
    ),
    (
        "sent late after the broker was away",
        facts(
            claim=claimed(late=60),
            journal=journal(
                record(
                    Event.UNREACHABLE, "Connection refused", row_id=ALL_ROWS, first=TICK - MINUTE, last=TICK + MINUTE
                )
            ),
        ),
        Verdict.SENT,
        "from Tue 24 Nov 01:59 to Tue 24 Nov 02:01: Connection refused",
        {Kind.SEEN},
    ),
    ("claimed", facts(claim=claimed(confirmed=False)), Verdict.UNSURE, "confirmed that it was sent", {Kind.SEEN}),
    (
        "unsure",
        facts(claim=claimed(), journal=journal(record(Event.UNSURE, "timed out"))),
        Verdict.UNSURE,
        "the connection broke while beat-1:9 sent it: timed out",
        {Kind.SEEN},
    ),
    (
        "refused",
        facts(claim=claimed(confirmed=False), not_sent=NotSent(TICK, TICK, "NOAUTH", given_up=False)),
        Verdict.REFUSED,
        "the broker refused it: NOAUTH",
        {Kind.SEEN},
    ),
    (
        "given up",
        facts(claim=claimed(), not_sent=NotSent(TICK, TICK, "not JSON", given_up=True)),
        Verdict.GIVEN_UP,
        "the message can never be sent: not JSON",
        {Kind.SEEN},
    ),
    (
        "passed over after an outage",
        facts(
            replace(SPEC, missed_runs="none"),
            claim=LATER,
            reigns=OUTAGE,
            journal=journal(record(Event.PASSED_OVER, Passed.MISSED.value)),
        ),
        Verdict.PASSED_OVER,
        "nobody led from Tue 24 Nov 01:58:40 to 02:03:10",
        {Kind.SEEN, Kind.DECIDED},
    ),
    (
        "passed over by the deadline",
        facts(
            replace(SPEC, starting_deadline=60),
            claim=LATER,
            journal=journal(record(Event.PASSED_OVER, Passed.DEADLINE.value)),
        ),
        Verdict.PASSED_OVER,
        "it was too late to be sent",
        {Kind.SEEN, Kind.DECIDED},
    ),
    (
        "nobody led, and the journal was lost",
        facts(replace(SPEC, missed_runs="none"), claim=LATER, reigns=OUTAGE, journal=Journal()),
        Verdict.NOBODY_LED,
        "nobody led from Tue 24 Nov 01:58:40 to 02:03:10",
        {Kind.SEEN, Kind.DECIDED},
    ),
    (
        "paused",
        facts(stops=(JO,), claim=LATER),
        Verdict.PAUSED,
        "paused by jo until Tue 24 Nov 03:00: INC-42 overloaded",
        {Kind.DECIDED},
    ),
    (
        "everything was paused",
        facts(stops=(replace(JO, everything=True),), claim=LATER, journal=journal(record(Event.PAUSED))),
        Verdict.PAUSED,
        "everything was paused by jo until Tue 24 Nov 03:00: INC-42 overloaded",
        {Kind.DECIDED, Kind.SEEN},
    ),
    (
        "held",
        facts(DISABLED, edits=(TableEdit("ben", TICK - 3 * HOUR, "changed", ("enabled",)),)),
        Verdict.HELD,
        "held by ben since Mon 23 Nov 23:00",
        {Kind.SEEN},
    ),
    (
        "held by an unknown user",
        facts(DISABLED),
        Verdict.HELD,
        "held by an unknown user, since Wed 26 Aug 11:00 at the latest",
        {Kind.SEEN, Kind.UNKNOWN},
    ),
    (
        "disabled in a commit",
        facts(
            DISABLED,
            managed=managed(DISABLED),
            recorded=(change("update", TICK - DAY, enabled(after=False), disabled_reason="no customers"),),
        ),
        Verdict.DISABLED,
        "disabled at Mon 23 Nov 02:00 by maria in 60eadbb1c0ff: no customers",
        {Kind.DECIDED},
    ),
    (
        "disabled then, and enabled since",
        facts(
            recorded=(
                change("update", TICK + HOUR, enabled(after=True)),
                change("update", TICK - DAY, enabled(after=False)),
            )
        ),
        Verdict.DISABLED,
        "disabled at Mon 23 Nov 02:00 by maria in 60eadbb1c0ff",
        {Kind.DECIDED},
    ),
    (
        "disabled in the tables",
        facts(DISABLED, managed=None, edits=(TableEdit("ben", TICK - HOUR, "changed"),)),
        Verdict.DISABLED,
        "its row is disabled; ben edited it last, at Tue 24 Nov 01:00",
        {Kind.SEEN},
    ),
    (
        "not started",
        facts(replace(SPEC, start_at=TICK + HOUR)),
        Verdict.NOT_STARTED,
        "it starts at Tue 24 Nov 03:00",
        {Kind.DECIDED},
    ),
    ("expired", facts(replace(SPEC, expires_at=TICK)), Verdict.EXPIRED, "it ended at Tue 24 Nov 02:00", {Kind.DECIDED}),
    (
        "completed",
        facts(replace(SPEC, one_off=True)),
        Verdict.COMPLETED,
        "it runs once, and has run at Mon 23 Nov 02:00",
        {Kind.SEEN},
    ),
    (
        "broken",
        facts(row=row(None, problems=(Problem("SS322", "args are not JSON"),))),
        Verdict.BROKEN,
        "its row cannot run: args are not JSON",
        {Kind.SEEN},
    ),
    (
        "not created",
        facts(claim=None, recorded=(change("create", TICK + HOUR),)),
        Verdict.NOT_CREATED,
        "it was created at Tue 24 Nov 03:00 by maria in 60eadbb1c0ff",
        {Kind.SEEN},
    ),
    (
        "edited",
        facts(
            row=row(replace(SPEC, timing=EARLY), last_run_at=TICK + 30 * MINUTE),
            managed=managed(replace(SPEC, timing=EARLY)),
            recorded=(
                change(
                    "update",
                    TICK + 30 * MINUTE,
                    FieldChange("timing", {"crontab": "0 2 * * *", "timezone": "Europe/Berlin"}, {}),
                ),
            ),
        ),
        Verdict.EDITED,
        "its timing changed at Tue 24 Nov 02:30 by maria in 60eadbb1c0ff",
        {Kind.SEEN, Kind.INFERRED},
    ),
    (
        "edited after its claim",
        facts(claim=LATER, journal=journal(record(Event.EDITED))),
        Verdict.EDITED,
        "its row was edited at Tue 24 Nov 02:04, after its claim",
        {Kind.SEEN},
    ),
    ("overdue", facts(), Verdict.OVERDUE, "due 8 h 00 min ago, and not sent yet", {Kind.SEEN, Kind.INFERRED}),
    (
        "nobody leads",
        facts(beats=BeatsNow(live=1, ever=True), reigns=()),
        Verdict.NOBODY_LED,
        "nobody leads now",
        {Kind.SEEN, Kind.INFERRED},
    ),
    (
        "by stock Beat",
        facts(
            row=row(last_run_at=TICK + timedelta(seconds=3)), claim=None, beats=BeatsNow(), reigns=(), journal=Journal()
        ),
        Verdict.SENT,
        "by a Beat that claims nothing, 3.00 s late",
        {Kind.SEEN, Kind.INFERRED},
    ),
    (
        "not by stock Beat",
        facts(claim=None, beats=BeatsNow(), reigns=(), journal=Journal()),
        Verdict.OVERDUE,
        "its last run was at Mon 23 Nov 02:00; no Beat has sent it",
        {Kind.SEEN, Kind.INFERRED, Kind.UNKNOWN},
    ),
    (
        "unknown",
        facts(claim=LATER, journal=Journal(kept_since=TICK + HOUR)),
        Verdict.UNKNOWN,
        "no record says whether it was sent",
        {Kind.SEEN, Kind.INFERRED, Kind.UNKNOWN},
    ),
)


def kinds(answer: Answer) -> set[Kind]:
    return {evidence.kind for evidence in answer.evidence}


def at(known: Facts, text: str, **words: Any) -> Explanation:
    return explain(known, words.get("asked", known.name), clock_time(text))


@pytest.mark.parametrize(
    ("known", "verdict", "end", "of_kinds"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_a_tick_of_the_past_is_explained(known: Facts, verdict: Verdict, end: str, of_kinds: set[Kind]) -> None:
    answer = at(known, "2026-11-24 02:00").answer

    assert (answer.verdict, answer.tick) == (verdict, TICK)
    assert answer.sentence.startswith("nightly ")
    assert "Tue 24 Nov 02:00 Europe/Berlin (01:00 UTC)" in answer.sentence
    assert answer.sentence.endswith(end)
    assert kinds(answer) == of_kinds
