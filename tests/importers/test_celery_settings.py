"""The entries of ``beat_schedule`` are taken as stock Beat sends them, or not at all and with a reason."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from celery.schedules import crontab, schedule, solar
from django_celery_beat.clockedschedule import clocked
from django_celery_beat.tzcrontab import TzAwareCrontab
from kombu import Exchange, Queue

from schedsync.core.schedule import Spec
from schedsync.core.timing import Clocked, Crontab, Interval, Solar, Timing
from schedsync.importers.celery_settings import BeatSchedule, read_beat_schedule

BERLIN = ZoneInfo("Europe/Berlin")
NINE = datetime(2027, 3, 1, 9, tzinfo=timezone.utc)


class Sunday(crontab):
    """A class of the project's own."""


def never() -> crontab:
    """A crontab of 31 February; since Celery 5.6 its own constructor refuses it."""
    made = crontab(0, 0)
    made.day_of_month, made.month_of_year = {31}, {2}
    return made


def read(entry: Any, name: str = "one") -> BeatSchedule:
    return read_beat_schedule({name: entry}, BERLIN)


def spec(**entry: Any) -> Spec:
    result = read({"task": "t", "schedule": 30.0, **entry})
    assert result.not_taken == ()
    return result.schedules[0].spec


def reason(entry: Any, name: str = "one") -> str:
    result = read(entry, name)
    assert result.schedules == ()
    return result.not_taken[0].reason


@pytest.mark.parametrize(
    ("value", "timing"),
    [
        (30, Interval(30_000_000)),
        (0.25, Interval(250_000)),
        (timedelta(hours=6), Interval(21_600_000_000)),
        (schedule(timedelta(minutes=5)), Interval(300_000_000)),
        (schedule(90), Interval(90_000_000)),
        (schedule(timedelta(seconds=30), relative=True), Interval(30_000_000)),
        (crontab(), Crontab("*", "*", "*", "*", "*", "Europe/Berlin")),
        (crontab(minute=0, hour="2,14"), Crontab("0", "2,14", "*", "*", "*", "Europe/Berlin")),
        (crontab(minute={15, 45}, day_of_week="mon-fri"), Crontab("15,45", "*", "*", "*", "1-5", "Europe/Berlin")),
        (
            crontab(0, 4, day_of_month="*/2", month_of_year=[1, 7]),
            Crontab("0", "4", "*/2", "1,7", "*", "Europe/Berlin"),
        ),
        (TzAwareCrontab("0", "3", tz=ZoneInfo("Asia/Tokyo")), Crontab("0", "3", "*", "*", "*", "Asia/Tokyo")),
        (solar("sunset", -37.81753, 144.96715), Solar("sunset", "-37.817530", "144.967150")),
        (clocked(NINE), Clocked(NINE)),
    ],
)
def test_each_kind_of_schedule_is_a_timing(value: Any, timing: Timing) -> None:
    assert spec(schedule=value).timing == timing


def test_arguments_are_json_and_tuples_lists() -> None:
    made = spec(args=(16, "x", (1, None)), kwargs={"b": 1, "a": {"deep": True}})

    assert (made.args, made.kwargs) == ('[16,"x",[1,null]]', '{"a":{"deep":true},"b":1}')
    assert spec(args=None, kwargs=None) == spec(args=(), kwargs={}) == spec()


def test_options_are_fields() -> None:
    options = {
        "queue": Queue("reports"), "exchange": Exchange("topic"), "routing_key": "a.b", "priority": 9,
        "headers": {"tenant": 1}, "expires": None,
    }  # fmt: skip

    assert spec(options=options) == Spec(
        "t", Interval(30_000_000), queue="reports", exchange="topic", routing_key="a.b", priority=9,
        headers='{"tenant":1}',
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        (240, {"expires_after": 240}),
        (240.0, {"expires_after": 240}),
        (timedelta(hours=1), {"expires_after": 3600}),
        (NINE, {"expires_at": NINE}),
        (datetime(2027, 3, 1, 10), {"expires_at": NINE}),
        ("2027-03-01T09:00:00Z", {"expires_at": NINE}),
        ("2027-03-01T10:00:00", {"expires_at": NINE}),
    ],
)
def test_expiry_has_many_forms(value: Any, fields: Mapping[str, Any]) -> None:
    assert spec(options={"expires": value}) == Spec("t", Interval(30_000_000), **fields)
    assert spec(options={"expire_seconds": value}) == spec(options={"expires": value})


def test_columns_of_django_celery_beat_are_taken() -> None:
    made = spec(enabled=False, one_off=True, description="x")

    assert (made.enabled, made.one_off, made.description) == (False, True, "x")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("a text", "it is not a dictionary"),
        ({"schedule": 30}, "it names no task"),
        ({"schedule": True}, "its schedule is of type bool, whose code says when it runs"),
        ({"schedule": None}, "its schedule is of type NoneType, whose code says when it runs"),
        ({"schedule": Sunday(0, 3)}, "its schedule is of type Sunday, whose code says when it runs"),
        ({"schedule": 0}, "an interval is more than 0 and at most a century"),
        ({"schedule": -5}, "an interval is more than 0 and at most a century"),
        ({"schedule": float("nan")}, "`nan` is not a number of seconds"),
        ({"schedule": 1e300}, "`1e+300` is not a number of seconds"),
        (
            {"schedule": timedelta(hours=1), "relative": True},
            "`relative` moves its runs to whole minutes, hours or days",
        ),
        ({"schedule": schedule(3600, relative=True)}, "`relative` moves its runs to whole minutes, hours or days"),
        ({"schedule": crontab(0, nowfun=datetime.now)}, "its schedule has a clock of its own (`nowfun`)"),
        ({"schedule": never()}, "it can never fire"),
        ({"args": "abc"}, "`args` is of type str"),
        ({"args": [Decimal(1)]}, "`args` is not JSON: Object of type Decimal is not JSON serializable"),
        ({"args": [float("inf")]}, "`args` is not JSON: Out of range float values are not JSON compliant"),
        ({"kwargs": [1]}, "`kwargs` is of type list"),
        ({"options": ["queue"]}, "`options` is of type list"),
        ({"options": {"countdown": 5}}, "the option `countdown` has no place in a row"),
        ({"options": {"priority": True}}, "`priority` is not a whole number from 0 to 255"),
        ({"options": {"queue": ""}}, "`queue` is not a text of 1 to 200 characters"),
        ({"options": {"expires": 0}}, "`expires` is not more than 0 seconds and at most 2,147,483,647"),
        ({"options": {"expires": 1.5}}, "`expires` has a fraction of a second; the table holds whole seconds"),
        ({"options": {"expires": "soon"}}, "`expires` is not an instant"),
        ({"enabled": "no"}, "`enabled` is not of type bool"),
        ({"last_run_at": NINE}, "unknown key `last_run_at`"),
    ],
)
def test_what_files_cannot_say_is_not_taken(entry: Any, message: str) -> None:
    if isinstance(entry, dict) and "task" not in entry and message != "it names no task":
        entry = {"task": "t", "schedule": 30} | entry

    assert reason(entry).startswith(message)


def test_one_bad_entry_hides_no_other() -> None:
    entries = {"good": {"task": "t", "schedule": 30}, "bad": {"task": "t"}, 7: {"task": "t", "schedule": 30}}
    result = read_beat_schedule(entries, timezone.utc)

    assert [made.name for made in result.schedules] == ["good", "7"]
    assert [item.name for item in result.not_taken] == ["bad"]
    assert reason({"task": "t", "schedule": 30}, "x" * 201) == "its name has 201 characters; the table holds 1 to 200"


def test_a_zone_without_a_name_stops_crontabs_only() -> None:
    zone = timezone(timedelta(hours=2))
    entries = {"cron": {"task": "t", "schedule": crontab(0, 3)}, "every": {"task": "t", "schedule": 30}}
    result = read_beat_schedule(entries, zone)

    assert [made.name for made in result.schedules] == ["every"]
    assert result.not_taken[0].reason == "its time zone has no name of IANA's database"
    assert read_beat_schedule(entries, timezone.utc).schedules[0].spec.timing == Crontab("0", "3", "*", "*", "*", "UTC")
