"""Names from rows are escaped in what a run by hand says, and a dry run lists the ticks."""

from __future__ import annotations

from datetime import datetime, timezone

from schedsync.core.hand_run import PastRequest, PastRun, PastTick, SentNow
from schedsync.core.selector import Selector
from schedsync.render.terminal import hand_run
from schedsync.render.terminal.paint import plain

AT = datetime(2026, 11, 23, 7, tzinfo=timezone.utc)
HOSTILE = "x\x1b[2J\ny"
REQUEST = PastRequest(Selector.of([HOSTILE]), AT, AT.replace(hour=8))


def test_names_and_notes_are_escaped() -> None:
    sent = hand_run.sent_now(SentNow(HOSTILE, "", "t", "id", AT, HOSTILE), plain)
    run = PastRun(REQUEST, [PastTick(AT, HOSTILE, "id")], unknown=[HOSTILE], stopped=HOSTILE)

    for text in (sent, hand_run.past_run(run, plain, dry_run=False), hand_run.past_run(run, plain, dry_run=True)):
        assert "\x1b" not in text
        assert all(line.isprintable() for line in text.splitlines())
    assert len(sent.splitlines()) == 2


def test_a_run_that_stopped_says_what_is_left_and_how_to_go_on() -> None:
    request = PastRequest(Selector.of(["sync-*", "x y"]), AT, AT.replace(hour=8), missing=True, most=2000, rate="9/m")
    ticks = [PastTick(AT.replace(minute=minute), "x y", f"id-{minute}") for minute in (0, 15, 30)]
    text = hand_run.past_run(
        PastRun(
            request, ticks, 4, 1, 2, ["why"], "12345678-9", "interrupted",
            options=["--allow-paused", "-e", "production", "--database", "other one"],
        ),
        plain, dry_run=False,
    )  # fmt: skip

    assert text.splitlines() == [
        "STOPPED  interrupted",
        "Sent 1 tick; an earlier call has sent 4; left out 2 that were already sent",
        "  unknown  why",
        "Left: 2 ticks, first x y of Mon 23 Nov 2026 07:15 UTC",
        "To go on: schedsync run 'x y' 'sync-*' --from 2026-11-23T07:00:00Z --to 2026-11-23T08:00:00Z --missing "
        "--rate 9/m --max 2000 --allow-paused -e production --database 'other one'",
    ]


def test_the_digest_tells_requests_apart_but_not_their_pace() -> None:
    other = PastRequest(REQUEST.selector, AT, AT.replace(hour=8), rate="9/m", most=5, again=True)

    assert other.digest == REQUEST.digest
    assert PastRequest(REQUEST.selector, AT, AT.replace(hour=9)).digest != REQUEST.digest
    assert PastRequest(REQUEST.selector, AT, AT.replace(hour=8), missing=True).digest != REQUEST.digest
