"""The runs of the next hours, by queue, as points and bands in a bounded number of lanes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import pairwise

from schedsync.calendar.load import ALL_QUEUES
from schedsync.calendar.stock_beat import slots
from schedsync.calendar.timeline import LANES, QUEUES, KnownRuns, Lane, Stretch, Timeline, timeline_of, window_until
from schedsync.core.schedule import Schedule, Template
from schedsync.core.timing import Interval, Timing
from tests.calendar.test_slots import cron, schedule

#: A Monday.
NOW = datetime(2026, 11, 23, 10, 0, 7, tzinfo=timezone.utc)
DAY = timedelta(days=1)


def queued(name: str, timing: Timing, queue: str) -> Schedule:
    made = schedule(name, timing)
    return replace(made, spec=replace(made.spec, queue=queue))


def drawn(
    *schedules: Schedule, last_runs: dict[str, datetime] | None = None, known: KnownRuns | None = None
) -> Timeline:
    return timeline_of(schedules, window_until(NOW, NOW + DAY, last_runs), slots, known)


def lane(*schedules: Schedule, last_runs: dict[str, datetime] | None = None) -> Lane:
    (queue,) = drawn(*schedules, last_runs=last_runs).queues
    (only,) = queue.lanes
    return only


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-{text}+00:00")


def test_a_rare_run_is_a_point() -> None:
    minute = at("24T02:00")

    assert lane(schedule("nightly", cron("0 2 * * *"))) == Lane("nightly", 1, 1, (Stretch(minute, minute, 1),))


def test_runs_every_second_are_one_band() -> None:
    found = lane(schedule("heartbeat", Interval(10**6)))

    assert found.stretches == (Stretch(at("23T10:00"), at("24T10:00"), 86_452),)


def test_a_pause_in_the_day_ends_a_band() -> None:
    found = lane(schedule("office", cron("*/5 8-9,14-15 * * *")))

    assert found.stretches == (
        Stretch(at("23T14:00"), at("23T15:55"), 24),
        Stretch(at("24T08:00"), at("24T09:55"), 24),
    )


def test_an_interval_is_placed_by_its_last_run_only() -> None:
    push = schedule("push", Interval(6 * 3600 * 10**6))
    placed = lane(push, last_runs={"push": NOW - timedelta(hours=1)})
    unplaced = lane(push)

    assert [each.first for each in placed.stretches] == [at("23T15:00"), at("23T21:00"), at("24T03:00"), at("24T09:00")]
    assert (unplaced.stretches, unplaced.unplaced, unplaced.starts) == ((), 4, 4)


def test_the_schedules_of_one_definition_are_one_lane() -> None:
    tenants = [
        replace(schedule(f"sync-{n}", cron(f"{n} 3 * * *")), template=Template("sync-{tenant}")) for n in (0, 0, 30)
    ]
    found = lane(*tenants)

    assert (found.name, found.schedules) == ("sync-{tenant}", 3)
    assert found.stretches == (Stretch(at("24T03:00"), at("24T03:00"), 2), Stretch(at("24T03:30"), at("24T03:30"), 1))


def test_what_runs_least_has_a_lane_and_the_others_are_one() -> None:
    often = [schedule(f"often-{number:02}", cron(f"{number} * * * *")) for number in range(20)]
    (queue,) = drawn(*often, schedule("nightly", cron("0 2 * * *"))).queues

    assert len(queue.lanes) == LANES
    assert "nightly" in [each.name for each in queue.lanes]
    assert queue.rest is not None
    assert (queue.rest.name, queue.rest.schedules, queue.rest.starts) == ("", 9, 9 * 24)
    assert queue.starts == 20 * 24 + 1


def test_ten_thousand_schedules_make_a_bounded_timeline() -> None:
    value = drawn(*(queued(f"s{n}", cron(f"{n % 60} {n % 24} * * *"), f"q{n % 40}") for n in range(10_000)))

    assert (len(value.queues), value.more_queues) == (QUEUES, 40 - QUEUES)
    assert len(list(value.lanes)) == QUEUES * (LANES + 1)
    assert max(len(each.stretches) for each in value.lanes) <= 97


def test_too_many_queues_are_counted_as_one() -> None:
    value = drawn(*(queued(f"s{n}", cron("0 2 * * *"), f"q{n}") for n in range(501)))

    assert [(each.queue, each.starts) for each in value.queues] == [(ALL_QUEUES, 501)]


def test_queues_are_in_the_order_of_their_runs_and_name_their_fullest_minute() -> None:
    value = drawn(
        queued("a", cron("0 2 * * *"), "few"),
        queued("b", cron("0 * * * *"), "many"),
        queued("c", cron("0 4 * * *"), "many"),
    )

    assert [(each.queue, each.starts, each.worst) for each in value.queues] == [
        ("many", 25, Stretch(at("24T04:00"), at("24T04:00"), 2)),
        ("few", 1, Stretch(at("24T02:00"), at("24T02:00"), 1)),
    ]


def test_schedules_that_do_not_run_are_counted() -> None:
    off = schedule("off", cron("0 2 * * *"))
    off = replace(off, spec=replace(off.spec, enabled=False))
    value = drawn(off, schedule("yearly", cron("0 0 1 1 *")), schedule("nightly", cron("0 2 * * *")))

    assert value.idle == 2


def test_what_is_known_of_runs_is_in_their_lane() -> None:
    known = KnownRuns({"nightly": 90.0}, {"nightly": NOW - timedelta(minutes=5)})
    (queue,) = drawn(schedule("nightly", cron("0 2 * * *")), known=known).queues

    assert (queue.lanes[0].seconds, queue.lanes[0].running_since) == (90.0, NOW - timedelta(minutes=5))


def test_the_lanes_are_in_the_order_of_their_first_runs() -> None:
    value = drawn(*(schedule(f"s{n}", cron(f"0 {n} * * *")) for n in (1, 23, 12)))
    firsts = [each.stretches[0].first for each in value.lanes]

    assert all(earlier < later for earlier, later in pairwise(firsts))
