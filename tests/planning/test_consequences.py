"""What a change foretells of the runs that follow from it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

from schedsync.core.change import Adopt, Create, Update
from schedsync.core.observed import Observed, Row
from schedsync.core.schedule import Spec
from schedsync.core.timing import crontab, interval
from schedsync.planning.consequences import with_consequences

NOW = datetime(2026, 11, 27, 14, 30, tzinfo=timezone.utc)


def _at(hour: str) -> Spec:
    return Spec("shop.tasks.report", crontab({"minute": "0", "hour": hour}, "UTC"))


def _fires_at_once(after: Spec) -> str:
    row = Row(1, "report", _at("20"), last_run_at=NOW - timedelta(hours=18))
    change = with_consequences([Update(name="report", row=row, after=after, edit_may_fire=True)], Observed(), NOW)[0]
    return next(each.message for each in change.consequences if each.code == "fires_at_once")


def test_the_run_after_a_late_run_is_named_unless_the_schedule_ends_before_it() -> None:
    late = "fires at once, for a slot that has passed"
    ending = replace(_at("14"), expires_at=datetime(2026, 11, 28, 14, tzinfo=timezone.utc))

    assert _fires_at_once(_at("14")) == f"{late}; then at Sat 28 Nov 14:00 UTC"
    assert _fires_at_once(replace(ending, expires_at=ending.expires_at + timedelta(seconds=1))).endswith("14:00 UTC")
    assert _fires_at_once(ending) == late


def test_new_schedules_have_the_consequences_that_each_has_alone() -> None:
    spec = Spec("t", interval(10**6 * 60, 1))
    specs = [
        spec,
        replace(spec, task="other", kwargs='{"a":1}'),
        replace(spec, enabled=False),
        replace(spec, one_off=True),
        replace(spec, start_at=NOW + timedelta(days=1)),
        replace(spec, start_at=NOW - timedelta(days=1)),
        replace(spec, expires_at=NOW + timedelta(seconds=1)),
        replace(spec, timing=interval(10**6 * 3600, 1)),
    ]
    changes = [
        kind(name=f"{number}", after=after, edit_may_fire=may_fire)
        for kind in (Create, Adopt)
        for may_fire in (False, True)
        for number, after in enumerate(specs)
    ]
    together = with_consequences(changes, Observed(), NOW)

    assert together == tuple(with_consequences([change], Observed(), NOW)[0] for change in changes)
    assert len({change.consequences for change in together}) > 5
