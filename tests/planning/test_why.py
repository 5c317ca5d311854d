"""``schedsync why``: each verdict from the facts that it takes, by the pure part alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from schedsync.calendar.clock_times import clock_time
from schedsync.core.change import FieldChange
from schedsync.core.hand_run import PastRecord
from schedsync.core.journal import ALL_ROWS, Event, Journal, JournalRecord, Passed, Reign
from schedsync.core.location import Location
from schedsync.core.observed import Managed, Problem, Row
from schedsync.core.open_run import OpenRun
from schedsync.core.schedule import Spec, spec_text
from schedsync.core.selector import Selector
from schedsync.core.task_id import task_id
from schedsync.core.timing import Clocked, Interval, Timing, TimingError, crontab, solar
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
from schedsync.planning.why.explain import explain, span_needed
from schedsync.planning.why.ticks import ticks_between

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
SKIPS = replace(SPEC, overlap="skip", max_runtime=7200)
RUNNING = OpenRun("5f3e", started_at=TICK - HOUR + timedelta(seconds=3), worker="celery@worker-1")

#: A name, the facts, the verdict, the end of the sentence, and the kinds of evidence that it must have.
CASES: tuple[tuple[str, Facts, Verdict, str, set[Kind]], ...] = (
    ("sent", facts(claim=claimed()), Verdict.SENT, "by beat-0:7, 0.02 s late", {Kind.SEEN, Kind.INFERRED}),
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
        {Kind.SEEN, Kind.INFERRED},
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
        {Kind.SEEN, Kind.INFERRED},
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
    *(
        (
            f"passed over for an open run, {name}",
            facts(SKIPS, claim=claim, journal=journal(*noted), reigns=OUTAGE if noted else facts().reigns),
            Verdict.PASSED_OVER,
            ending,
            {Kind.SEEN, Kind.DECIDED},
        )
        for name, claim, noted, ending in (
            (
                "running",
                LATER,
                [record(Event.PASSED_OVER, RUNNING.reason)],
                "skipped, run 5f3e was still running, since Tue 24 Nov 01:00:03 on celery@worker-1",
            ),
            (
                "queued",
                LATER,
                [record(Event.PASSED_OVER, OpenRun("5f3e", sent_at=TICK).reason)],
                "skipped, run 5f3e was still in its queue, since Tue 24 Nov 02:00",
            ),
            ("by its claim alone", replace(claimed(), passed_by=True), [], "its last run had not ended"),
        )
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
        facts(
            DISABLED,
            edits=(
                TableEdit("sam", TICK - 2 * HOUR, "changed", ("Description",)),
                TableEdit("ben", TICK - 3 * HOUR, "changed", ("Enabled",)),
            ),
        ),
        Verdict.HELD,
        "held by ben since Mon 23 Nov 23:00",
        {Kind.SEEN},
    ),
    (
        "held by an unknown user",
        facts(DISABLED),
        Verdict.HELD,
        "held by an unknown user, some time after Mon 23 Nov 02:00",
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
        {Kind.SEEN, Kind.INFERRED},
    ),
    (
        "not created",
        facts(claim=None, recorded=(change("create", TICK + HOUR),)),
        Verdict.NOT_CREATED,
        "it was created at Tue 24 Nov 03:00 by maria in 60eadbb1c0ff",
        {Kind.DECIDED},
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


#: Killed a moment before the tick.
KILLED = Reign(12, "beat-0:7", NOW - 9 * DAY, TICK - timedelta(seconds=1), until_known=False)


def test_a_beat_that_was_killed_may_have_sent_what_it_could_not_write_down() -> None:
    killed = facts(TEN, claim=LATER, reigns=(KILLED, Reign(13, "beat-1:9", TICK + HOUR)))
    near, far = at(killed, "2026-11-24T01:00:00Z").answer, at(killed, "2026-11-24T01:10:00Z").answer

    assert (near.verdict, kinds(near)) == (Verdict.UNKNOWN, {Kind.INFERRED, Kind.SEEN, Kind.UNKNOWN})
    assert far.verdict is Verdict.NOBODY_LED


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


def test_the_last_tick_is_explained_and_those_around_it_are_named() -> None:
    found = explain(
        facts(claim=claimed(), journal=journal(record(Event.SENT, late=0.1, first=TICK - DAY, last=TICK - DAY))),
        "nightly",
    )

    assert (found.answer.tick, found.answer.verdict) == (TICK, Verdict.SENT)
    assert found.answer.task_id == task_id("nightly", TICK)
    assert found.before is not None
    assert (found.before.tick, found.before.because) == (TICK - DAY, "sent by beat-1:9, 0.10 s late")
    assert found.following is not None
    assert (found.following.tick, found.following.verdict, found.following.because) == (TICK + DAY, Verdict.COMING, "")


BERLIN = "Europe/Berlin"
HALF = replace(SPEC, timing=crontab({"minute": "30", "hour": "2"}, BERLIN))
TEN = replace(SPEC, timing=Interval(600 * 10**6))
SUNNY = replace(SPEC, timing=solar("sunset", 52.52, 13.405))


@pytest.mark.parametrize(
    ("known", "text", "verdict", "tick"),
    [
        (facts(claim=claimed()), "02:00", Verdict.SENT, TICK),
        (facts(claim=claimed()), "2:00", Verdict.SENT, TICK),
        (facts(claim=claimed()), "2026-11-24T02:00:00+01:00", Verdict.SENT, TICK),
        (facts(claim=claimed()), "2026-11-24T01:00Z", Verdict.SENT, TICK),
        (facts(), "23:00", Verdict.NO_TICK, None),
        (facts(), "2026-11-24 02:01", Verdict.NO_TICK, None),
        (facts(), "2026-11-25 02:00", Verdict.COMING, TICK + DAY),
        (facts(claim=claimed()), "2026-11-23 02:00", Verdict.UNKNOWN, TICK - DAY),
        (facts(TEN, claim=claimed()), "01:10", Verdict.OVERDUE, TICK + 10 * MINUTE),
        (facts(TEN, claim=claimed()), "00:55", Verdict.NO_TICK, None),
        (facts(SUNNY, claim=None, beats=BEATS), "2026-11-23 14:58", Verdict.NO_TICK, None),
    ],
)
def test_a_time_is_read_by_the_clock_of_the_schedule(
    known: Facts, text: str, verdict: Verdict, tick: datetime | None
) -> None:
    found = at(known, text)

    assert (found.answer.verdict, found.answer.tick) == (verdict, tick)


def test_a_time_without_a_tick_names_the_nearest_ones() -> None:
    found = at(facts(), "2026-11-24 03:00")

    assert found.answer.sentence == (
        "nightly was not due at Tue 24 Nov 03:00 Europe/Berlin (02:00 UTC): its timing has no tick then; "
        "the nearest before is Tue 24 Nov 02:00, the nearest after is Wed 25 Nov 02:00"
    )
    assert found.answer.task_id is None


SPRING, AUTUMN = datetime(2027, 3, 28, 12, tzinfo=timezone.utc), datetime(2026, 10, 25, 12, tzinfo=timezone.utc)


def on(day: datetime, spec: Spec, tick: datetime) -> Facts:
    """Return facts of a day, on which a tick was sent in time."""
    return replace(
        facts(spec, claim=claimed(tick + DAY)),
        now=day + 3 * DAY,
        journal=Journal([record(Event.SENT, late=0.1, first=tick, last=tick)], kept_since=day - 30 * DAY),
    )


def test_a_time_that_daylight_saving_skips_ran_later() -> None:
    tick = SPRING.replace(hour=1, minute=30)
    found = at(on(SPRING, HALF, tick), "2027-03-28 02:30")

    assert (found.answer.verdict, found.answer.tick) == (Verdict.SENT, tick)
    words = "the clock skips 02:00 to 03:00 on that day, so the tick of 02:30 is at Sun 28 Mar 03:30"
    assert found.answer.evidence[-1].words == words
    assert found.answer.evidence[-1].kind is Kind.INFERRED


def test_a_tick_that_daylight_saving_takes_away_is_skipped() -> None:
    often = replace(SPEC, timing=crontab({"minute": "0,30", "hour": "2"}, BERLIN))
    known = on(SPRING, often, SPRING.replace(hour=1, minute=0))
    found = at(known, "2027-03-28 02:30")

    assert found.answer.verdict is Verdict.SKIPPED
    assert found.answer.sentence.startswith("nightly did not run at 02:30: the clock skips 02:00 to 03:00 on that day")


def test_of_a_time_that_comes_twice_the_first_runs() -> None:
    first = AUTUMN.replace(hour=0, minute=30)
    known = on(AUTUMN, HALF, first)
    sent, second = at(known, "2026-10-25 02:30"), at(known, "2026-10-25T02:30:00+01:00")

    assert (sent.answer.verdict, sent.answer.tick) == (Verdict.SENT, first)
    assert sent.answer.evidence[-1].words == "the clock repeats 02:00 to 03:00 on that day; only the first 02:30 runs"
    assert (second.answer.verdict, second.answer.tick) == (Verdict.REPEATED, first + HOUR)


def test_the_timing_of_then_counts() -> None:
    moved = change("update", TICK + 2 * HOUR, FieldChange("timing", {"crontab": "0 2 * * *", "timezone": BERLIN}, {}))
    known = facts(
        replace(SPEC, timing=EARLY), managed=managed(replace(SPEC, timing=EARLY)), claim=claimed(), recorded=(moved,)
    )

    assert at(known, "2026-11-24 02:00").answer.verdict is Verdict.SENT
    assert at(known, "2026-11-23 06:00").answer.verdict is Verdict.NO_TICK
    assert at(known, "2026-11-25 06:00").answer.verdict is Verdict.COMING
    assert [note.words for note in at(known, "2026-11-24 02:00").notes] == [
        "its timing changed at Tue 24 Nov 04:00 by maria in 60eadbb1c0ff"
    ]


def test_a_renamed_schedule_answers_under_its_old_name_and_with_the_old_id() -> None:
    renamed = change("rename", TICK + HOUR, old_name="digest")
    found = explain(facts(claim=claimed(), recorded=(renamed,)), "digest")

    assert found.answer.task_id == task_id("digest", TICK)
    assert [note.words for note in found.notes] == [
        "`digest` was renamed to `nightly` at Tue 24 Nov 03:00 by maria in 60eadbb1c0ff"
    ]


def test_a_run_by_hand_since_the_tick_is_noted() -> None:
    by_hand = change("run", TICK + HOUR, who="jo")
    found = explain(facts(recorded=(by_hand, change("run", TICK - 2 * DAY))), "nightly")

    assert [note.words for note in found.notes] == ["jo sent it by hand at Tue 24 Nov 03:00"]


@pytest.mark.parametrize(("text", "is_noted"), [("2026-11-23", False), ("2026-11-24", True), ("2026-11-25", False)])
def test_a_run_by_hand_is_noted_only_in_the_time_of_its_tick(text: str, is_noted: bool) -> None:
    found = at(facts(claim=claimed(), recorded=(change("run", TICK + HOUR),)), f"{text} 02:00")

    assert bool(found.notes) is is_noted


def past_run(*, missing: bool = False, last: datetime | None = TICK, **kinds: Any) -> PastRecord:
    """Make the record of a run by jo of the day before the tick, which came to a tick."""
    selector = Selector.of(["nightly"], **kinds)
    return PastRecord(selector, TICK - DAY, TICK + HOUR, missing, "jo", TICK + 4 * HOUR, last and (last, "nightly"))


CREATED = {"claim": None, "recorded": (change("create", TICK + 3 * HOUR),)}


def test_a_tick_that_a_run_of_the_past_has_sent_says_by_whom_and_keeps_what_beat_did() -> None:
    answer = at(facts(past_runs=(past_run(),), **CREATED), "2026-11-24 02:00").answer

    assert answer.verdict is Verdict.SENT
    assert answer.sentence == (
        "nightly was sent for Tue 24 Nov 02:00 Europe/Berlin (01:00 UTC) by jo, by hand: in a run of the past that "
        "began at Tue 24 Nov 06:00"
    )
    assert [(each.kind, each.words) for each in answer.evidence] == [
        (Kind.SEEN, "a run of the past that jo began at Tue 24 Nov 06:00 has sent it"),
        (Kind.DECIDED, "it was created at Tue 24 Nov 05:00 by maria in 60eadbb1c0ff"),
    ]
    assert answer.task_id == task_id("nightly", TICK)


def test_of_what_is_missing_a_run_of_the_past_is_inferred() -> None:
    runs = (past_run(missing=True),)
    created = at(facts(past_runs=runs, **CREATED), "2026-11-24 02:00").answer
    sent_before = at(facts(past_runs=runs, claim=claimed()), "2026-11-24 02:00").answer
    disabled = at(facts(DISABLED, past_runs=runs, managed=managed(DISABLED)), "2026-11-24 02:00").answer

    assert (created.verdict, created.evidence[0].kind) == (Verdict.SENT, Kind.INFERRED)
    assert not any("run of the past" in each.words for each in sent_before.evidence)
    assert disabled.verdict is Verdict.DISABLED


def test_a_tick_that_beat_sent_and_a_run_of_the_past_too_says_both() -> None:
    answer = at(facts(past_runs=(past_run(),), claim=claimed()), "2026-11-24 02:00").answer

    assert answer.sentence.endswith("by beat-0:7, 0.02 s late")
    assert answer.evidence[-1].words.endswith("jo began at Tue 24 Nov 06:00 has sent it")


@pytest.mark.parametrize(
    "run",
    [past_run(last=None), past_run(last=TICK - DAY), past_run(owners=("team",)), replace(past_run(), until=TICK)],
    ids=["sent nothing", "stopped before", "of others", "of another time"],
)
def test_a_run_of_the_past_that_did_not_send_the_tick_says_nothing(run: PastRecord) -> None:
    assert at(facts(past_runs=(run,), **CREATED), "2026-11-24 02:00").answer.verdict is Verdict.NOT_CREATED


def test_a_tick_before_a_held_schedule_was_resumed_is_left_behind() -> None:
    resumed = change("resume", TICK + HOUR, verb="resume", commit=None)
    known = facts(row=row(last_run_at=TICK + HOUR), claim=claimed(TICK - DAY), recorded=(resumed,))
    answer = at(known, "2026-11-24 02:00").answer

    assert (answer.verdict, answer.because) == (Verdict.EDITED, "it was resumed at Tue 24 Nov 03:00 by maria")


FIELDS = (
    FieldChange("task", "t", None),
    FieldChange("timing", {"crontab": "0 2 * * *", "timezone": BERLIN}, None),
)


def test_a_deleted_schedule_says_who_deleted_it_and_knows_its_past() -> None:
    gone = change("delete", TICK + HOUR, *FIELDS, row_id=7)
    known = facts(row=None, managed=None, claim=None, recorded=(gone,), journal=journal(record(Event.SENT, late=0.5)))
    now, then, after = explain(known, "nightly"), at(known, "2026-11-24 02:00"), at(known, "2026-11-25 02:00")

    assert now.answer.verdict is Verdict.DELETED
    assert now.answer.sentence.endswith("it was deleted at Tue 24 Nov 03:00 by maria in 60eadbb1c0ff")
    assert (then.answer.verdict, after.answer.verdict) == (Verdict.SENT, Verdict.DELETED)
    # The tick before is the last one that it had, and not one after the deletion.
    assert [each.before and each.before.tick for each in (now, after)] == [TICK, TICK]
    assert span_needed(replace(known, now=NOW + 9 * DAY), None, None).since < TICK


def test_an_interval_that_counts_from_its_creation_has_no_tick_then() -> None:
    spec = replace(SPEC, timing=Interval(10 * 60 * 10**6))
    known = facts(spec, claim=claimed(TICK + HOUR), recorded=(change("create", TICK, FIELDS[1]),))
    answer = at(known, "2026-11-24T01:00Z").answer

    assert (answer.tick, answer.verdict) == (TICK, Verdict.NOT_CREATED)


def test_a_schedule_that_was_deleted_and_made_again_was_not_there_meanwhile() -> None:
    again = change("create", TICK + HOUR)
    known = facts(claim=None, recorded=(again, change("delete", TICK - HOUR), change("create", TICK - 9 * DAY)))

    assert at(known, "2026-11-24 02:00").answer.verdict is Verdict.DELETED
    assert at(known, "2026-11-01 02:00").answer.verdict is Verdict.NOT_CREATED


def test_a_row_that_was_deleted_in_the_admin_is_made_again_by_the_next_apply() -> None:
    found = explain(facts(row=None, claim=None, edits=(TableEdit("ben", TICK - HOUR, "deleted"),)), "nightly")

    assert found.answer.sentence.endswith("its row was deleted by ben at Tue 24 Nov 01:00")
    assert found.following is not None
    assert found.following.because == "its row is gone; the next apply makes it again"


@pytest.mark.parametrize(
    ("known", "verdict", "because", "way_out"),
    [
        (
            facts(claim=claimed(), stops=(Stop("jo", "INC", TICK, None, lasts=True),)),
            Verdict.PAUSED,
            "until it is resumed",
            "resume nightly",
        ),
        (
            facts(DISABLED, edits=(TableEdit("ben", TICK, "changed"),)),
            Verdict.HELD,
            "held by ben since",
            "resume nightly",
        ),
        (facts(DISABLED, managed=managed(DISABLED)), Verdict.DISABLED, "the files have it disabled", ""),
        (facts(DISABLED, managed=None), Verdict.DISABLED, "its row is disabled", ""),
        (facts(replace(SPEC, timing=Clocked(TICK))), Verdict.COMPLETED, "it is completed", ""),
        (facts(row=row(None, problems=(Problem("SS322", "bad"),))), Verdict.BROKEN, "its row cannot run: bad", ""),
        (facts(beats=BeatsNow()), Verdict.COMING, "is live, and stock Beat cannot be seen", ""),
        (facts(claim=claimed(), beats=BeatsNow(1, ever=True)), Verdict.COMING, "nobody leads now", ""),
        (facts(claim=claimed(), beats=BeatsNow(ever=True)), Verdict.COMING, "no Beat of schedsync's own is live", ""),
        (
            facts(claim=claimed(), beats=replace(BEATS, broker_trouble="refused")),
            Verdict.COMING,
            "the broker is away: refused",
            "",
        ),
    ],
)
def test_the_next_run_is_foretold_as_far_as_it_is_decided(
    known: Facts, verdict: Verdict, because: str, way_out: str
) -> None:
    following = explain(known, "nightly").following

    assert following is not None
    assert following.verdict is verdict
    assert because in following.because
    assert " ".join(following.way_out) == way_out


@pytest.mark.parametrize(
    ("run", "max_runtime", "because"),
    [
        (RUNNING, 2 * DAY, "run 5f3e is still running, since Tue 24 Nov 01:00:03 on celery@worker-1"),
        (OpenRun("5f3e", sent_at=TICK), 2 * DAY, "run 5f3e is still in its queue, since Tue 24 Nov 02:00"),
        (RUNNING, DAY, ""),
    ],
    ids=["running", "queued", "over by then"],
)
def test_the_next_run_waits_for_a_run_that_has_not_ended(run: OpenRun, max_runtime: timedelta, because: str) -> None:
    spec = replace(SKIPS, max_runtime=int(max_runtime.total_seconds()))
    following = explain(facts(spec, claim=claimed(), open_run=run), "nightly").following
    ending = "; `overlap: skip` leaves the tick out unless it ends first" if because else ""

    assert following is not None
    assert (following.tick, following.verdict) == (TICK + DAY, Verdict.COMING)
    assert following.because == because + ending


def test_the_next_run_is_the_first_after_a_pause() -> None:
    stop = Stop("jo", "INC-42", TICK, TICK + 3 * DAY + MINUTE, lasts=True)
    following = explain(facts(claim=claimed(), stops=(stop,)), "nightly").following

    assert following is not None
    assert (following.tick, following.verdict) == (TICK + 4 * DAY, Verdict.COMING)
    assert following.because == "paused by jo until Fri 27 Nov 02:01: INC-42"
    assert at(facts(claim=claimed(), stops=(stop,)), "2026-11-26 02:00").answer.verdict is Verdict.PAUSED


def test_a_tick_that_a_pause_of_everything_left_out_is_not_due() -> None:
    stop = replace(JO, everything=True, until=TICK + MINUTE)
    known = facts(stops=(stop,), claim=claimed(TICK - DAY), journal=journal(record(Event.PAUSED)))

    answer = explain(known, "nightly").following

    assert answer is not None
    assert (answer.verdict, answer.because) == (Verdict.COMING, "")


def test_a_tick_behind_one_that_the_broker_refuses_says_so() -> None:
    refused = NotSent(TICK - DAY, NOW, "no such queue", given_up=False)
    found = explain(facts(claim=claimed(TICK - DAY, confirmed=False), not_sent=refused), "nightly")
    answer, following = found.answer, found.following

    assert answer.because == "the tick of Mon 23 Nov 02:00 waits, because the broker refused it: no such queue"
    assert {each.kind for each in answer.evidence} == {Kind.SEEN, Kind.INFERRED}
    assert following is not None
    assert following.tick == TICK + DAY
    assert following.because == (
        "the tick of Mon 23 Nov 02:00 comes first, which the broker has refused so far: no such queue"
    )


@pytest.mark.parametrize("claim", [claimed(TICK - DAY), claimed(TICK - HOUR, confirmed=False)])
def test_a_refusal_that_is_over_holds_no_later_tick_up(claim: Claimed) -> None:
    """The last failure is kept: it stays after the broker has accepted the message, or a later one."""
    refused = NotSent(TICK - DAY, NOW, "no such queue", given_up=False)
    found = explain(facts(claim=claim, not_sent=refused, beats=replace(BEATS, broker_trouble="away")), "nightly")

    assert found.answer.because == "the broker is away: away"
    assert found.following is not None
    assert found.following.because == "the broker is away: away"
    assert "no such queue" not in repr(found.following)


@pytest.mark.parametrize(
    ("fields", "first"),
    [
        ({}, "Tue 24 Nov 09:59"),
        ({"missed_runs": "all"}, "Tue 24 Nov 09:56"),
        ({"missed_runs": "none"}, "Tue 24 Nov 09:59"),
        ({"missed_runs": "all", "starting_deadline": 80}, "Tue 24 Nov 09:59"),
        ({"starting_deadline": 20}, None),
    ],
)
def test_what_comes_before_the_next_tick_is_the_late_tick_that_beat_sends(
    fields: dict[str, Any], first: str | None
) -> None:
    """Beat could not claim for four minutes: by ``missed_runs`` and the deadline it sends one of them next, or none."""
    spec = replace(SPEC, timing=crontab({}, "Europe/Berlin"), **fields)
    at_half = NOW - MINUTE / 2
    known = replace(facts(spec, claim=claimed(NOW - 5 * MINUTE)), now=at_half)
    following = explain(known, "nightly").following

    assert following is not None
    assert following.tick == NOW
    assert following.because == (f"the tick of {first} comes first, which is due and not sent yet" if first else "")


def test_a_refusal_that_beat_tries_again_is_said_once() -> None:
    refused = NotSent(TICK, TICK + MINUTE, "no such queue", given_up=False)
    noted = journal(record(Event.REFUSED, "no such queue", at=TICK + MINUTE))
    answer = explain(facts(claim=claimed(confirmed=False), not_sent=refused, journal=noted), "nightly").answer

    assert [each.words for each in answer.evidence] == [
        "beat-0:7 claimed it, 0.02 s late, and has not finished it",
        "the broker refused it at Tue 24 Nov 02:01: no such queue; Beat tries again",
    ]


def test_an_outage_of_the_broker_that_several_segments_tell_is_one() -> None:
    parts = [(TICK - MINUTE, TICK + MINUTE), (TICK + MINUTE, TICK + 2 * MINUTE)]
    away = [record(Event.UNREACHABLE, "away", row_id=ALL_ROWS, first=first, last=last) for first, last in parts]
    answer = explain(facts(claim=claimed(late=130), journal=journal(*away)), "nightly").answer

    assert "the broker could not be reached from Tue 24 Nov 01:59 to Tue 24 Nov 02:02: away" in answer.sentence


def test_a_tick_that_was_late_because_everything_was_paused_says_so() -> None:
    stop = replace(JO, since=TICK - MINUTE, until=TICK + MINUTE, everything=True)
    answer = explain(facts(claim=claimed(late=61), stops=(stop,)), "nightly").answer

    words = "everything was paused by jo until Tue 24 Nov 02:01: INC-42 overloaded"
    assert answer.sentence.endswith(f"1 min 1 s late: {words}")
    assert words in [each.words for each in answer.evidence]


def test_the_ticks_since_a_time_are_folded() -> None:
    step = 10 * MINUTE
    sent = [record(Event.SENT, late=0.1, first=TICK + n * step, last=TICK + n * step) for n in range(6)]
    over = record(Event.PASSED_OVER, Passed.MISSED.value, first=TICK + 6 * step, last=TICK + 8 * step, count=3)
    late = record(Event.SENT, late=7.0, first=TICK + 9 * step, last=TICK + 9 * step)
    known = facts(TEN, claim=claimed(TICK + 10 * step), journal=journal(*sent, over, late))
    listed = explain(replace(known, now=TICK + 10 * step), "nightly", since=clock_time("2026-11-24T01:00:00Z")).listed

    assert listed is not None
    assert [(ticks.count, ticks.verdict, ticks.because) for ticks in listed.ticks] == [
        (6, Verdict.SENT, "sent by beat-1:9"),
        (3, Verdict.PASSED_OVER, "it fell due before this Beat led"),
        (1, Verdict.SENT, "sent by beat-1:9, 7.00 s late"),
        (1, Verdict.SENT, "sent by beat-0:7, 0.02 s late"),
    ]
    assert listed.left_out == 0


@pytest.mark.parametrize(
    ("timing", "since", "left_out"),
    [
        (Interval(10**6), "2026-11-24T08:00:00Z", 2601),
        (crontab({}, BERLIN), "2026-11-23T09:00:00Z", 441),
        (crontab({"hour": "9,10,11"}, BERLIN), "2026-11-01T09:00:00Z", 3141),
    ],
)
def test_a_long_list_says_how_many_ticks_it_leaves_out(timing: Timing, since: str, left_out: int) -> None:
    known = facts(replace(SPEC, timing=timing), claim=claimed(NOW))
    listed = explain(known, "nightly", since=clock_time(since)).listed

    assert listed is not None
    assert (sum(ticks.count for ticks in listed.ticks), listed.left_out) == (1000, left_out)


def test_ticks_on_both_sides_of_an_edit_are_those_of_the_timing_of_then() -> None:
    hourly = replace(SPEC, timing=crontab({"minute": "0"}, BERLIN))
    moved = change(
        "update", TICK + 95 * MINUTE, FieldChange("timing", {"crontab": "30 * * * *", "timezone": BERLIN}, {})
    )
    known = facts(hourly, managed=managed(hourly), claim=claimed(TICK + 3 * HOUR), recorded=(moved,))
    found, is_cut = ticks_between(replace(known, now=TICK + 3 * HOUR), TICK, TICK + 3 * HOUR, 100)

    assert [(tick - TICK) / MINUTE for tick in found] == [30, 90, 120, 180]
    assert not is_cut


STOCK = row(last_run_at=TICK + timedelta(seconds=3))


@pytest.mark.parametrize(
    ("known", "verdict"),
    [
        (facts(row=STOCK), Verdict.UNKNOWN),
        (facts(row=STOCK, reigns=OUTAGE), Verdict.UNKNOWN),
        (facts(row=STOCK, edits=(TableEdit("ben", TICK + HOUR, "changed"),)), Verdict.UNKNOWN),
        (facts(row=STOCK, claim=None, edits=(TableEdit("ben", TICK + HOUR, "changed"),)), Verdict.SENT),
        (facts(TEN, row=row(TEN, last_run_at=TICK + 3 * HOUR), beats=BeatsNow(ever=True)), Verdict.UNKNOWN),
        (facts(row=row(last_run_at=TICK - HOUR), reigns=OUTAGE[:1], beats=BeatsNow(ever=True)), Verdict.OVERDUE),
        (facts(row=row(last_run_at=TICK - HOUR), reigns=OUTAGE), Verdict.NOBODY_LED),
        (facts(row=row(last_run_at=TICK + HOUR, date_changed=TICK + HOUR), reigns=OUTAGE), Verdict.NOBODY_LED),
        (facts(row=STOCK, claim=LATER, reigns=OUTAGE), Verdict.NOBODY_LED),
    ],
)
def test_after_the_way_back_to_stock_beat_an_old_claim_says_nothing(known: Facts, verdict: Verdict) -> None:
    answer = at(known, "2026-11-24T01:00:00Z").answer

    assert answer.verdict is verdict
    if verdict is Verdict.UNKNOWN:
        assert answer.evidence[0].words.endswith(", is of no Beat that claims")


def test_a_row_that_was_made_again_without_a_record_is_there() -> None:
    deleted = (TableEdit("ben", TICK - HOUR, "deleted"),)
    again = facts(claim=claimed(), edits=deleted)
    new = facts(row=row(last_run_at=None, total_run_count=0, date_changed=TICK + HOUR), claim=None, edits=deleted)

    assert at(again, "2026-11-24 02:00").answer.verdict is Verdict.SENT
    assert at(facts(edits=deleted), "2026-11-24 02:00").answer.verdict is Verdict.OVERDUE
    assert at(new, "2026-11-24 02:00").answer.verdict is Verdict.NOT_CREATED


@pytest.mark.parametrize(
    ("event", "reason", "first", "ticks"),
    [
        (Event.GONE, "", 7, set()),
        (Event.BROKEN, "bad", 3, set()),
        (Event.PASSED_OVER, Passed.ENABLED_AGAIN.value, -10, {-10}),
        (Event.PASSED_OVER, Passed.MISSED.value, -10, {-10, 7}),
    ],
)
def test_times_at_which_beat_saw_a_row_are_no_ticks(event: Event, reason: str, first: int, ticks: set[int]) -> None:
    seen = record(event, reason, first=TICK + first * MINUTE, last=TICK + 7 * MINUTE)
    known = facts(TEN, claim=claimed(), journal=journal(seen))

    assert {(tick - TICK) / MINUTE for tick in known.noted} == ticks | {0}


def test_a_row_that_is_mended_says_from_when_to_when_it_could_not_run() -> None:
    mended = record(Event.BROKEN, "bad", first=TICK - MINUTE, last=TICK + 5 * MINUTE, count=None, at=TICK + 5 * MINUTE)
    began = record(Event.BROKEN, "bad", count=None)
    words = [at(facts(claim=LATER, journal=journal(each)), "02:00").answer.because for each in (mended, began)]

    assert words == [
        "its row could not run from Tue 24 Nov 01:59 to Tue 24 Nov 02:05: bad",
        "its row could not run since Tue 24 Nov 02:00: bad",
    ]


@pytest.mark.parametrize(
    ("reason", "deadline", "field"),
    [
        (Passed.NEWER, 600, "missed_runs: latest"),
        (Passed.MISSED, None, "missed_runs: latest"),
        (Passed.DEADLINE, 60, "starting_deadline: 1m"),
        (Passed.DEADLINE, None, "beat_cron_starting_deadline = 30"),
    ],
)
def test_the_field_that_passed_a_tick_over_is_named(reason: Passed, deadline: int | None, field: str) -> None:
    known = facts(
        replace(SPEC, starting_deadline=deadline),
        claim=LATER,
        journal=journal(record(Event.PASSED_OVER, reason.value)),
        cron_deadline=30,
    )
    (said,) = [each for each in at(known, "02:00").answer.evidence if each.kind is Kind.DECIDED]

    assert f"{field}` passed the tick over" in said.words


def test_no_field_is_blamed_where_a_deadline_of_celery_decides() -> None:
    known = facts(replace(SPEC, missed_runs="none"), claim=LATER, reigns=OUTAGE, journal=Journal(), cron_deadline=3600)

    assert kinds(at(known, "02:00").answer) == {Kind.SEEN, Kind.UNKNOWN}


def test_while_a_tick_is_on_its_way_the_one_before_is_explained() -> None:
    soon = timedelta(seconds=2)
    old = explain(replace(facts(), now=TICK + DAY + soon), "nightly").answer
    sent = explain(replace(facts(claim=claimed()), now=TICK + DAY + soon), "nightly").answer

    assert (old.tick, old.verdict) == (TICK, Verdict.OVERDUE)
    assert (sent.tick, sent.verdict) == (TICK, Verdict.SENT)


def test_what_still_lasts_and_what_follows_are_said_in_whole_sentences() -> None:
    led = at(facts(reigns=OUTAGE[:1]), "02:00").answer
    sent = at(facts(claim=claimed()), "02:00").answer

    assert led.because == "nobody has led since Tue 24 Nov 01:58:40"
    assert sent.evidence[-1].words == "its claim is finished, and no record says that it was dropped: so it was sent"


@pytest.mark.parametrize("text", ["25:00", "2:0", "tomorrow", "2026-02-30 02:00", "0001-01-01 02:00", ""])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(TimingError):
        clock_time(text)
