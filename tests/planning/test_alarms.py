"""Which alarms begin, are sent again, and are over: from what is on, and what was noted."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from schedsync.core.alarm import Alarm, AlarmRules, Kind, Noted
from schedsync.core.quiet_hours import quiet_hours
from schedsync.planning.alarms import TAKEN_FOR, Calm, decide, tells_end

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=timezone.utc)
RULES = AlarmRules(kinds=frozenset(Kind))
QUIET = replace(RULES, quiet_hours=quiet_hours("09:00-11:00"))
OVERDUE, DRIFT = Alarm(Kind.OVERDUE, "a"), Alarm(Kind.DRIFT, "b", scope="shop")
NOTICE = Alarm(Kind.PAUSE_ENDING, "c")


def noted(alarm: Alarm, *, sent: timedelta | None = timedelta(minutes=1), claimed: timedelta | None = None) -> Noted:
    """Return a noted alarm that was claimed and sent so long ago."""
    sent_at = None if sent is None else NOW - sent
    claimed_at = sent_at if claimed is None else NOW - claimed
    return Noted(alarm.key, alarm.kind, alarm.subject, claimed_at, sent_at)


def test_a_new_alarm_begins_and_a_known_one_does_not() -> None:
    assert decide([OVERDUE, DRIFT], [noted(DRIFT)], RULES, NOW).begun == (OVERDUE,)
    assert not decide([DRIFT], [noted(DRIFT)], RULES, NOW)


def test_an_alarm_that_its_process_did_not_send_begins_for_another_one_later() -> None:
    taken, left = (noted(DRIFT, sent=None, claimed=TAKEN_FOR + timedelta(seconds=by)) for by in (-1, 1))

    assert not decide([DRIFT], [taken], RULES, NOW)
    assert decide([DRIFT], [left], RULES, NOW).begun == (DRIFT,)


def test_an_alarm_that_lasts_is_sent_again_and_a_notice_is_not() -> None:
    old = timedelta(hours=25)
    decision = decide([DRIFT, NOTICE], [noted(DRIFT, sent=old), noted(NOTICE, sent=old)], RULES, NOW)

    assert (decision.begun, decision.repeated, decision.over) == ((), (DRIFT,), ())
    assert not decide([DRIFT], [noted(DRIFT, sent=timedelta(hours=23))], RULES, NOW)


def test_an_alarm_that_is_off_is_over() -> None:
    decision = decide([], [noted(OVERDUE), noted(NOTICE)], RULES, NOW)

    assert [alarm.subject for alarm in decision.over] == ["a", "c"]
    assert [tells_end(alarm, RULES) for alarm in decision.over] == [True, False]
    assert not tells_end(noted(OVERDUE, sent=None, claimed=TAKEN_FOR), RULES)


def test_in_quiet_hours_only_urgent_alarms_are_sent() -> None:
    assert decide([OVERDUE, DRIFT], [], QUIET, NOW).begun == (OVERDUE,)
    assert decide([OVERDUE, DRIFT], [], QUIET, NOW + timedelta(hours=1)).begun == (OVERDUE, DRIFT)


def test_in_quiet_hours_the_end_of_an_alarm_waits_too() -> None:
    over = [noted(OVERDUE), noted(DRIFT), noted(NOTICE)]

    assert [alarm.kind for alarm in decide([], over, QUIET, NOW).over] == [Kind.OVERDUE, Kind.PAUSE_ENDING]
    assert len(decide([], over, QUIET, NOW + timedelta(hours=1)).over) == 3


def test_a_kind_that_is_not_wanted_is_not_sent_and_its_rows_end_silently() -> None:
    rules = replace(RULES, kinds=frozenset({Kind.DRIFT}))

    assert not decide([OVERDUE], [], rules, NOW)
    (over,) = decide([OVERDUE], [noted(OVERDUE)], rules, NOW).over
    assert not tells_end(over, rules)


def test_an_alarm_that_comes_and_goes_is_one_alarm() -> None:
    calm, alarm, minute = Calm(), noted(OVERDUE), timedelta(minutes=1)

    assert calm.lasting([alarm], {alarm.key}, NOW) == [alarm]
    assert calm.lasting([alarm], set(), NOW + minute) == []
    assert calm.lasting([alarm], set(), NOW + 5 * minute) == []
    assert calm.lasting([alarm], {alarm.key}, NOW + 6 * minute) == [alarm]
    assert calm.lasting([alarm], set(), NOW + 7 * minute) == []
    assert calm.lasting([alarm], set(), NOW + 12 * minute) == [alarm]


@pytest.mark.parametrize("count", [20_000])
def test_many_alarms_are_compared_by_their_keys(count: int) -> None:
    alarms = [Alarm(Kind.OVERDUE, f"s{number}") for number in range(count)]

    assert len(decide(alarms, [noted(alarm) for alarm in alarms[1:]], RULES, NOW).begun) == 1
