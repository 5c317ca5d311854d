"""``schedsync why`` as text and as JSON, from the same facts as the tests of its reasons."""

from __future__ import annotations

import json
from dataclasses import replace

from schedsync.calendar.clock_times import clock_time
from schedsync.core.journal import Event, Passed
from schedsync.core.observed import Row
from schedsync.core.why import Explanation, Outcome, Stop
from schedsync.planning.why.explain import explain
from schedsync.planning.why.outcomes import with_outcome
from schedsync.render.programs.why import why_json
from schedsync.render.terminal.why import why_text
from tests.planning.test_why import (
    DAY,
    HOUR,
    LATER,
    NOW,
    OUTAGE,
    SPEC,
    TEN,
    TICK,
    change,
    claimed,
    facts,
    journal,
    managed,
    record,
    row,
)

NONE = replace(SPEC, missed_runs="none")
YESTERDAY = record(Event.SENT, late=0.02, first=TICK - DAY, last=TICK - DAY)


def outage() -> Explanation:
    passed = record(Event.PASSED_OVER, Passed.MISSED.value)
    recorded = (change("update", TICK + HOUR, commit="later"), change("update", TICK - 12 * DAY))
    known = facts(
        NONE, managed=managed(NONE), claim=LATER, reigns=OUTAGE, journal=journal(YESTERDAY, passed), recorded=recorded
    )
    found = explain(replace(known, now=TICK + 2 * HOUR), "nightly")
    assert found.before is not None
    return replace(found, before=with_outcome("nightly", found.before, Outcome("SUCCESS", TICK), NOW))


def test_the_sentence_comes_first_then_the_evidence_then_the_way_out() -> None:
    assert why_text(outage()).splitlines() == [
        "nightly did not run at Tue 24 Nov 02:00 Europe/Berlin (01:00 UTC): "
        "nobody led from Tue 24 Nov 01:58:40 to 02:03:10",
        "  seen      beat-0:7 no longer led from Tue 24 Nov 01:58:40: the database was away",
        "  seen      beat-1:9 has led since Tue 24 Nov 02:03:10, epoch 13",
        "  seen      beat-1:9 passed it over at Tue 24 Nov 02:04: it fell due before this Beat led",
        "  decided   `missed_runs: none` passed the tick over (schedules/reports.yaml:9, 60eadbb1c0ff by maria)",
        f"Before: Mon 23 Nov 02:00 sent by beat-1:9, 0.02 s late, task {outage().before.task_id}, SUCCESS",  # type: ignore[union-attr]
        "Next:   Wed 25 Nov 02:00 Europe/Berlin",
        "Timing: daily 02:00 Europe/Berlin   schedules/reports.yaml:9",
        "To run it now: schedsync run nightly",
    ]


def test_a_list_of_ticks_lines_up() -> None:
    step = TEN.timing.microseconds  # type: ignore[union-attr]
    assert step == 600 * 10**6
    sent = [record(Event.SENT, late=0.1, first=TICK + n * HOUR / 6, last=TICK + n * HOUR / 6) for n in range(3)]
    known = replace(facts(TEN, claim=claimed(TICK + HOUR / 2), journal=journal(*sent)), now=TICK + HOUR / 2)
    text = why_text(explain(known, "nightly", since=clock_time("2026-11-24T01:00:00Z")))

    assert text.splitlines()[-4:] == [
        "Timing: every 10m   schedules/reports.yaml:9",
        "Since Tue 24 Nov 01:00 UTC: 4 ticks",
        "  Tue 24 Nov 01:00 to Tue 24 Nov 01:20 (3)  sent         sent by beat-1:9",
        "  Tue 24 Nov 01:30                          sent         sent by beat-0:7, 0.02 s late",
    ]


def test_nothing_of_a_row_or_a_record_reaches_the_terminal_as_it_is() -> None:
    stop = Stop("\x1b[31mjo", "INC\r\n::error::x\u202e", TICK - HOUR, TICK + HOUR)
    name = "::add-mask::-rf\x1b]0;x\x07"
    known = replace(facts(claim=LATER, stops=(stop,)), name=name, row=Row(7, name, SPEC))
    text = why_text(explain(known, "\x1b[2J", clock_time("2026-11-24 02:00")))

    assert not {"\x1b", "\r", "\x07", "\u202e"} & set(text)
    assert not any(line.lstrip().startswith("::") for line in text.splitlines())


def test_a_name_is_quoted_for_the_shell() -> None:
    known = replace(facts(), name="-rf $HOME", row=replace(row(), name="-rf $HOME"))

    assert why_text(explain(known, "-rf $HOME")).endswith("To run it now: schedsync run -- '-rf $HOME'")


def test_the_document_has_all_of_it() -> None:
    document = json.loads(why_json(outage()))

    assert {key: document[key] for key in ("version", "name", "asked", "at", "set", "since", "notes")} == {
        "version": 1, "name": "nightly", "asked": "nightly", "at": "2026-11-24T03:00:00Z", "set": "shop",
        "since": None, "notes": [],
    }  # fmt: skip
    assert document["timing"] == {"crontab": "0 2 * * *", "timezone": "Europe/Berlin"}
    assert document["location"] == {"path": "schedules/reports.yaml", "line": 9, "column": 3}
    assert document["answer"]["verdict"] == "passed_over"
    assert document["answer"]["evidence"][0] == {
        "kind": "seen",
        "words": "beat-0:7 no longer led from Tue 24 Nov 01:58:40: the database was away",
        "source": "journal",
        "at": "2026-11-24T00:58:40Z",
    }
    assert document["answer"]["commands"] == ["schedsync run nightly"]
    assert document["before"]["outcome"] == {
        "state": "SUCCESS", "at": "2026-11-24T01:00:00Z", "error": None, "trouble": None,
    }  # fmt: skip
    assert document["next"]["tick"] == "2026-11-25T01:00:00Z"
