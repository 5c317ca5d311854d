"""The verdict on a state: OK, NOT OK with its reasons, or UNKNOWN where only stock Beat can be running."""

from __future__ import annotations

from collections.abc import Iterator

from schedsync.core.status import BeatStatus, Status, Verdict

#: A clock that differs from the database's by more than this, in seconds, makes ticks early or late.
CLOCK_LIMIT = 1.0
_STOCK = "no Beat of schedsync's own is running; stock Beat cannot be seen"


def judge(status: Status, expected_beats: int | None = None) -> tuple[Verdict, dict[str, str]]:
    """Return the verdict and the reasons for NOT OK, by a stable word.

    ``expected_beats`` is the number of Beats that should be live; 0 says that none of schedsync's own is wanted.
    """
    problems = dict([*_beat_problems(status, expected_beats), *_schedule_problems(status)])
    if problems:
        return Verdict.NOT_OK, problems
    return (Verdict.OK if status.beats else Verdict.UNKNOWN), {}


def reason_of(status: Status) -> str:
    """Return the reasons for a verdict in words; empty for OK."""
    return _STOCK if status.verdict is Verdict.UNKNOWN else ", ".join(status.problems.values())


def _beat_problems(status: Status, expected: int | None) -> Iterator[tuple[str, str]]:
    live = len(status.beats)
    if expected is not None and live < expected:
        yield "too_few_beats", f"{live or 'no'} {'Beat is' if live < 2 else 'Beats are'} live, {expected} expected"
    elif not live and status.last_beat is not None and expected is None:
        yield "no_beat", "no Beat is live"
    if nobody_leads(status):
        yield "no_leader", "nobody leads"
    if any(beat.report is not None and beat.report.broker_trouble for beat in status.beats):
        yield "broker", "the broker is away"
    if wrong := wrong_clocks(status):
        yield "clocks", f"{'clocks differ' if len(wrong) > 1 else 'a clock differs'}"


def nobody_leads(status: Status) -> bool:
    """Say whether Beats live that have an election, and none of them leads."""
    return any(beat.election != "none" for beat in status.beats) and not any(beat.leads for beat in status.beats)


def wrong_clocks(status: Status) -> tuple[BeatStatus, ...]:
    """Return the Beats whose clock differs from the database's."""
    return tuple(
        beat for beat in status.beats if beat.report is not None and abs(beat.report.clock_ahead or 0.0) > CLOCK_LIMIT
    )


def _schedule_problems(status: Status) -> Iterator[tuple[str, str]]:
    schedules = status.schedules
    if count := schedules.overdue.count:
        yield "overdue", f"{count:,} {'schedule' if count == 1 else 'schedules'} overdue"
    if count := status.failed.count:
        yield "failed", f"{count:,} not sent"
    if count := schedules.broken.count:
        yield "broken", f"{count:,} cannot run"
