"""The list of schedules, and what `pause` and `resume` say: aligned, coloured by state, and safe to read."""

from __future__ import annotations

import json
from datetime import timedelta

from schedsync.core.listing import LastRun, ListedSchedule, Listing, Matrix, MatrixRow
from schedsync.core.observed import Paused
from schedsync.core.pausing import Pauses, Resumed
from schedsync.core.schedule import People, Spec
from schedsync.core.selector import Selector
from schedsync.core.standing import Standing
from schedsync.core.status import Listed, Management, Status, Stopped
from schedsync.core.timing import Interval, crontab
from schedsync.render.programs.listing import listing_json, matrix_json
from schedsync.render.terminal.listing import listing_text, matrix_text
from schedsync.render.terminal.pauses import paused_json, paused_text, resumed_json, resumed_text
from schedsync.render.terminal.status import status_text
from schedsync.render.words import pause_lines
from tests.conftest import NOW

EVIL = "::error::\n\x1b[31mx\u202e"
HOUR = timedelta(hours=1)
DAILY = Spec("t", crontab({"minute": "0", "hour": "2"}, "Europe/Berlin"))
PAUSED = Paused("b", "why", "jo", NOW, NOW + HOUR)
LISTING = Listing(
    NOW,
    (
        ListedSchedule("a", "ok", "shop", DAILY, None, People("team"), NOW + HOUR, None, LastRun(NOW - HOUR, 0.257)),
        ListedSchedule("b", "paused", "shop", Spec("t", Interval(60_000_000)), pause=PAUSED),
        ListedSchedule(EVIL, "unmanaged", None, None, EVIL),
    ),
)


def marked(words: str, style: str) -> str:
    return f"<{style}>{words}</>"


def test_each_state_has_its_colour_and_times_are_in_the_common_zone() -> None:
    lines = listing_text(LISTING, marked).splitlines()

    assert lines[0].startswith("<bold>state ")
    assert "next run, Europe/Berlin" in lines[0]
    assert lines[1].startswith("<green>ok</>         a ")
    assert "Mon 23 Nov 12:00  " in lines[1]
    assert lines[1].endswith("Mon 23 Nov 10:00, 0.26 s late  team")
    assert lines[2].startswith("<yellow>paused</>     b ")
    assert "after Mon 23 Nov 12:00" in lines[2]
    assert lines[3].startswith("<cyan>unmanaged</>  ::error::\\u000a\\u001b[31mx\\u202e")
    assert lines[4:] == ["3 schedules: 1 ok, 1 paused, 1 unmanaged"]


def test_a_tick_that_was_skipped_is_no_run() -> None:
    skipped = ListedSchedule("a", "ok", "shop", DAILY, last_run=LastRun(NOW - HOUR, skipped=True))

    assert "skipped Mon 23 Nov 10:00" in listing_text(Listing(NOW, (skipped,)))
    assert json.loads(listing_json(Listing(NOW, (skipped,))))["schedules"][0]["skipped"] is True


def test_a_narrow_terminal_gets_two_lines_for_each() -> None:
    lines = listing_text(LISTING, width=60).splitlines()

    assert lines[1:3] == [
        "ok  a",
        "    daily 02:00 Europe/Berlin · next Mon 23 Nov 12:00 · last Mon 23 Nov 10:00, 0.26 s late · team",
    ]
    assert lines[4] == "    every 1m · next after Mon 23 Nov 12:00"
    assert not any(line.lstrip().startswith("::") for line in lines)


def test_a_narrow_line_with_one_time_says_of_which_run_it_is() -> None:
    held = ListedSchedule("a", "held", "shop", DAILY, last_run=LastRun(NOW - HOUR, skipped=True))
    due = ListedSchedule("b", "ok", "shop", DAILY, due=NOW - HOUR)
    ran = ListedSchedule("c", "disabled", "shop", DAILY, last_run=LastRun(NOW - HOUR))
    lines = listing_text(Listing(NOW, (held, due, ran)), width=40).splitlines()

    assert lines[2:7:2] == [
        "    daily 02:00 Europe/Berlin · skipped Mon 23 Nov 10:00",
        "    daily 02:00 Europe/Berlin · due since Mon 23 Nov 10:00",
        "    daily 02:00 Europe/Berlin · last Mon 23 Nov 10:00",
    ]


def test_an_empty_list_says_so() -> None:
    assert listing_text(Listing(NOW)) == "No schedule"


def test_the_list_for_programs() -> None:
    document = json.loads(listing_json(LISTING))

    assert (document["version"], document["at"]) == (1, "2026-11-23T10:00:00Z")
    assert document["counts"] == {"ok": 1, "paused": 1, "unmanaged": 1}
    assert document["schedules"][0] == {
        "name": "a",
        "state": "ok",
        "set": "shop",
        "task": "t",
        "queue": None,
        "enabled": True,
        "timing": document["schedules"][0]["timing"],
        "timing_text": "daily 02:00 Europe/Berlin",
        "problem": None,
        "next_run": "2026-11-23T11:00:00Z",
        "due_since": None,
        "last_run": "2026-11-23T09:00:00Z",
        "late_seconds": 0.257,
        "skipped": False,
        "people": {"owner": "team", "runbook": None, "labels": {}, "disabled_reason": None},
        "pause": None,
        "removing": None,
        "rolled_back": None,
        "opened": None,
    }
    assert document["schedules"][2]["name"] == EVIL


def test_the_matrix_in_a_narrow_terminal_is_a_list() -> None:
    row = MatrixRow(EVIL, {"staging": None, "production": DAILY}, ("args",))
    value = Matrix("shop", ("staging", "production"), (row,), ("`x` is not expanded",))

    assert matrix_text(value, width=40).splitlines() == [
        "\\u003a:error::\\u000a\\u001b[31mx\\u202e",
        "    staging  absent",
        "    production  daily 02:00 Europe/Berlin",
        "    other fields that differ  args",
        "1 schedule, 1 not the same in all environments",
        "`x` is not expanded",
    ]
    assert json.loads(matrix_json(value))["schedules"][0]["environments"]["staging"] is None


def test_pauses_of_odd_names_and_selectors_cannot_break_a_line() -> None:
    pauses = (Paused(EVIL, EVIL, EVIL, NOW), Paused("p", EVIL, EVIL, NOW))
    standing = Standing(Selector.of([f"{EVIL}*"]), EVIL, EVIL, NOW)
    text = paused_text(Pauses(Selector.of([f"{EVIL}*"]), pauses, pauses, (EVIL,), standing))
    resumed = Resumed(running=[EVIL, "a"], stopped=[EVIL], held=["h"], ended=(standing,), lasting=(standing,))
    again = resumed_text(resumed, NOW)

    for line in (*text.splitlines(), *again.splitlines()):
        assert line.isprintable()
        assert not line.lstrip().startswith("::")
    assert json.loads(paused_json(Pauses(Selector(), pauses)))["names"] == [EVIL, "p"]
    assert json.loads(resumed_json(resumed))["running"] == [EVIL, "a"]


def test_a_long_list_of_names_is_cut_and_counted() -> None:
    pauses = tuple(Paused(f"s{number}", "why", "jo", NOW) for number in range(12))
    text = paused_text(Pauses(Selector.of(["s*"]), pauses, pauses))

    assert "  s0, s1, s2, s3, s4, s5, s6, s7, s8, s9 and 2 more" in text
    assert text.splitlines()[-1] == (
        "  12 schedules: paused by jo until it is resumed: why (s0, s1, s2, s3, s4, s5, s6, s7, s8, s9 and 2 more)"
    )


def test_equal_pauses_are_one_line_and_others_have_their_own() -> None:
    many = [Paused(f"s{number}", "why", "jo", NOW, NOW + HOUR) for number in range(4)]
    few = [Paused("a", "loud", "jo", NOW), Paused("b", EVIL, "ben", NOW)]

    assert list(pause_lines([*few, *many], NOW)) == [
        "a: paused by jo until it is resumed: loud",
        "b: paused by ben until it is resumed: ::error::\\u000a\\u001b[31mx\\u202e",
        "4 schedules: paused by jo until Mon 23 Nov 11:00 UTC: why (s0, s1, s2, s3)",
    ]


def test_status_counts_equal_pauses() -> None:
    paused = [Stopped(f"s{number}", "jo", "why", NOW, NOW + HOUR) for number in range(1200)]
    value = Status(NOW, NOW, 1, management=Management(paused=Listed.of(paused)))

    assert (
        "Stopped  paused 1,000 schedules (s0, s1, s2 and 997 more) until Mon 23 Nov 11:00 UTC by jo: why\n"
        "         and 200 more"
    ) in status_text(value)
