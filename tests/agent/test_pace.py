"""When an agent asks its remote: with jitter, more seldom while it fails, and soon after a call of the hook."""

from __future__ import annotations

from schedsync.agent.pace import Pace


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_failures_make_it_slower_and_a_success_makes_it_normal() -> None:
    clock = Clock()
    pace = Pace(30.0, clock, lambda: 0.0)
    assert (pace.is_due, pace.wait) == (True, 0.0)
    waits = []
    for failed in (False, True, True, True, True, True, True, False):
        pace.done(failed=failed)
        waits.append(pace.wait)
        clock.now += pace.wait

    assert waits == [30, 30, 60, 120, 240, 300, 300, 30]
    assert pace.is_due


def test_agents_do_not_ask_together() -> None:
    paces = [Pace(30.0, Clock(), lambda chance=chance: chance) for chance in (0.0, 0.5, 1.0)]  # type: ignore[misc]
    for pace in paces:
        pace.done(failed=False)

    assert [pace.wait for pace in paces] == [30.0, 27.0, 24.0]


def test_a_flood_of_calls_asks_no_more_than_every_two_seconds() -> None:
    clock = Clock()
    pace = Pace(30.0, clock, lambda: 0.0)
    pace.done(failed=False)
    for _ in range(1000):
        pace.hurry()

    assert (pace.is_due, pace.wait) == (False, 2.0)
    clock.now = 2.0
    assert pace.is_due
