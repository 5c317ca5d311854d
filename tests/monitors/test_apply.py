"""``apply`` brings the monitors of Healthchecks and Sentry into step, and a service never stops it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django_celery_beat.models import PeriodicTask

from schedsync.models import Monitor
from tests.conftest import Project
from tests.monitors.servers import CANARY, HealthchecksServer, SentryServer

NIGHTLY = (
    "  nightly: {task: t, crontab: '30 2 * * 1-5', timezone: Europe/Berlin, monitor: {grace: 10m, max_runtime: 1h}}\n"
)
OFTEN = "  often: {task: t, every: 90m, monitor: true}\n"

pytestmark = pytest.mark.one_database


def records(using: str) -> list[tuple[str, str, bool, str]]:
    rows = Monitor.objects.using(using).order_by("service", "name")
    return [(row.service, row.name, bool(row.remote_id and row.digest), row.error) for row in rows]


@pytest.mark.one_database("default", "postgresql", "mariadb")
def test_monitors_come_change_and_go_with_their_schedules(
    project: Project, at_both: SentryServer, healthchecks: HealthchecksServer
) -> None:
    project.schedules(NIGHTLY + OFTEN)
    done = project.apply()

    assert done.code == 0
    assert "Monitors: 4 created\n" in done.out
    check = healthchecks.by_slug()["nightly"]
    assert {key: check[key] for key in ("name", "schedule", "tz", "grace", "tags", "channels", "status")} == {
        "name": "nightly", "schedule": "30 2 * * 1-5", "tz": "Europe/Berlin", "grace": 4_200,
        "tags": "schedsync set:default", "channels": "*", "status": "new",
    }  # fmt: skip
    assert healthchecks.by_slug()["often"]["timeout"] == 5_400
    monitor = at_both.by_slug()["often"]
    assert monitor["config"] == {
        "schedule_type": "interval", "schedule": [90, "minute"], "checkin_margin": 5, "max_runtime": 30,
        "timezone": "UTC",
    }  # fmt: skip
    assert at_both.by_slug()["nightly"]["config"]["timezone"] == "Europe/Berlin"
    ids = {healthchecks.by_slug()["nightly"]["slug"]: list(healthchecks.monitors)}
    again = project.apply()
    assert "Monitors" not in again.out
    assert (at_both.writes()[2:], len(healthchecks.writes())) == ([], 2)

    project.schedules(NIGHTLY.replace("nightly:", "night:").replace("task: t", "task: t, renamed_from: nightly"))
    done = project.apply("--allow-stops", "9")
    assert "Monitors: 2 changed, 2 deleted\n" in done.out
    assert [*healthchecks.by_slug(), *at_both.by_slug()] == ["night", "night"]
    assert set(healthchecks.monitors) <= set(ids["nightly"])

    project.schedules(
        NIGHTLY.replace("nightly:", "night:").replace("monitor: {grace: 10m, max_runtime: 1h}", "queue: q")
    )
    done = project.apply()
    assert "Monitors: 2 deleted\n" in done.out
    assert [*healthchecks.monitors, *at_both.monitors, *records(project.using)] == []


def test_a_pause_mutes_the_monitors_and_resume_ends_that(
    project: Project, at_both: SentryServer, healthchecks: HealthchecksServer
) -> None:
    project.schedules(NIGHTLY + OFTEN)
    project.apply()
    paused = project.command("pause", "nightly", "--reason", "x", "--settle", "0", "--format", "json")
    muted = (healthchecks.by_slug()["nightly"]["status"], at_both.by_slug()["nightly"]["isMuted"])
    there = project.apply()
    resumed = project.command("resume", "nightly")
    after = (healthchecks.by_slug()["nightly"]["status"], at_both.by_slug()["nightly"]["isMuted"])

    assert json.loads(paused.out)["monitors"]["done"]["change"] == 2
    assert (muted, after) == (("paused", True), ("new", False))
    assert "Monitors" not in there.out
    assert "Monitors: 2 changed" in resumed.out
    assert healthchecks.by_slug()["often"]["status"] == "new"


def test_a_schedule_that_a_human_stops_is_muted_by_the_next_apply(
    project: Project, at_healthchecks: HealthchecksServer
) -> None:
    project.schedules(NIGHTLY)
    project.apply()
    PeriodicTask.objects.using(project.using).update(enabled=False)
    waiting = project.command("status", "--format", "json")
    done = project.apply()

    assert json.loads(waiting.out)["counts"]["monitors_waiting"] == 1
    assert "Monitors: 1 changed" in done.out
    assert at_healthchecks.by_slug()["nightly"]["status"] == "paused"


@pytest.mark.parametrize("fault", [429, 500, None, "<html>", "[]", '{"checks": [3]}', '{"checks": [{}]}'])
def test_a_service_that_is_away_stops_nothing_and_the_next_apply_tries_again(
    project: Project, at_both: SentryServer, healthchecks: HealthchecksServer, fault: int | str | None, monkeypatch: Any
) -> None:
    monkeypatch.setattr("schedsync.http.client._BACKOFF", 0.0)
    healthchecks.always = fault
    project.schedules(NIGHTLY)
    done = project.apply()
    rows = PeriodicTask.objects.using(project.using).count()
    healthchecks.always = 200
    again = project.apply()

    assert (done.code, rows, list(at_both.by_slug())) == (0, 1, ["nightly"])
    assert "Monitors: healthchecks: " in done.out
    assert "Monitors: 1 waits for the next apply" in done.out
    assert "Monitors: 1 created\n" in again.out
    assert list(healthchecks.by_slug()) == ["nightly"]
    assert CANARY not in done.out + done.err


@pytest.mark.parametrize("fault", [429, 503, None])
def test_a_service_that_is_busy_for_a_moment_is_asked_again(
    project: Project, at_healthchecks: HealthchecksServer, fault: int | None, monkeypatch: Any
) -> None:
    monkeypatch.setattr("schedsync.http.client._BACKOFF", 0.0)
    at_healthchecks.faults = [fault, 200, fault, fault, 200]
    project.schedules(NIGHTLY)
    done = project.apply()

    assert "Monitors: 1 created\n" in done.out
    assert len(at_healthchecks.monitors) == 1


def test_status_counts_what_a_service_could_not_be_told(
    project: Project, at_healthchecks: HealthchecksServer, monkeypatch: Any
) -> None:
    def waiting() -> int:
        counts: dict[str, int] = json.loads(project.command("status", "--format", "json").out)["counts"]
        return counts["monitors_waiting"]

    monkeypatch.setattr("schedsync.http.client._BACKOFF", 0.0)
    project.schedules(NIGHTLY + OFTEN)
    at_healthchecks.always = 500
    project.apply()
    never_told = waiting()
    at_healthchecks.always = 200
    project.apply()
    told = waiting()
    at_healthchecks.always = 500
    project.schedules(NIGHTLY.replace("10m", "20m") + OFTEN.replace("monitor: true", "monitor: false"))
    project.apply()

    assert (never_told, told, waiting()) == (2, 0, 2)
    assert "Monitors 2 wait for the next apply" in project.command("status").out


def test_a_service_that_asks_for_a_long_wait_is_left(project: Project, at_healthchecks: HealthchecksServer) -> None:
    at_healthchecks.always, at_healthchecks.retry_after = 429, "3600"
    project.schedules(NIGHTLY)

    assert "Monitors: healthchecks: HTTP 429" in project.apply().out
    assert len(at_healthchecks.asked) == 1


def test_one_monitor_that_is_refused_does_not_stop_the_others(
    project: Project, at_healthchecks: HealthchecksServer
) -> None:
    at_healthchecks.always = 400
    at_healthchecks.faulty = lambda line, body: body.get("name") == "a"
    project.schedules("  a: {task: t, every: 1h, monitor: true}\n  b: {task: t, every: 1h, monitor: true}\n")
    done = project.apply()
    noted = records(project.using)
    at_healthchecks.always = 200
    project.apply()

    assert "Monitors: healthchecks `a`: HTTP 400" in done.out
    assert [(name, ok, bool(error)) for _, name, ok, error in noted] == [("a", False, True), ("b", True, False)]
    assert list(at_healthchecks.by_slug()) == ["b", "a"]


def test_an_apply_that_dies_between_the_request_and_the_table_makes_no_second_monitor(
    project: Project, at_both: SentryServer, healthchecks: HealthchecksServer
) -> None:
    project.schedules(NIGHTLY)
    project.apply()
    # What the table has before a monitor is made.
    Monitor.objects.using(project.using).update(remote_id="", digest="")
    done = project.apply()
    project.schedules("  other: {task: t, every: 1h}\n")
    project.apply("--allow-stops", "9")

    assert "Monitors: 2 changed\n" in done.out
    assert [*healthchecks.monitors, *at_both.monitors] == []


def test_a_monitor_that_was_there_before_is_taken_over_and_never_deleted(
    project: Project, at_both: SentryServer, healthchecks: HealthchecksServer
) -> None:
    project.schedules(NIGHTLY)
    project.apply()
    Monitor.objects.using(project.using).all().delete()
    for check in healthchecks.monitors.values():
        check["tags"] = "made by hand"
    done = project.apply()
    project.schedules("  other: {task: t, every: 1h}\n")
    gone = project.apply("--allow-stops", "9")

    assert "Monitors: 2 changed\n" in done.out
    assert "Monitors: 2 left to the service\n" in gone.out
    assert [*healthchecks.by_slug(), *at_both.by_slug()] == ["nightly", "nightly"]
    assert records(project.using) == []


def test_a_check_of_another_environment_is_not_touched(project: Project, at_healthchecks: HealthchecksServer) -> None:
    project.schedules(NIGHTLY)
    project.apply()
    Monitor.objects.using(project.using).all().delete()
    for check in at_healthchecks.monitors.values():
        check |= {"tags": "schedsync set:default environment:staging", "grace": 60}
    done = project.apply()

    assert "is that of another set or environment" in done.out
    assert at_healthchecks.by_slug()["nightly"]["grace"] == 60


def test_two_names_with_one_slug(project: Project, at_both: SentryServer, healthchecks: HealthchecksServer) -> None:
    names = ("a b", "A-b", "'12'", "日本")
    project.schedules("".join(f"  {name}: {{task: t, every: 1h, monitor: true}}\n" for name in names))
    done = project.apply()

    assert list(at_both.by_slug()) == ["a-b"]
    assert "Monitors: sentry `a b`: the slug `a-b` is that of another schedule too" in done.out
    assert done.out.count("Sentry has no slug for this name") == 2
    assert sorted(slug[:3] for slug in healthchecks.by_slug()) == ["12", "a-b", "a-b", "cf2"]


def test_a_schedule_that_is_released_keeps_its_monitor(project: Project, at_healthchecks: HealthchecksServer) -> None:
    project.schedules(NIGHTLY + OFTEN)
    project.apply()
    project.schedules(OFTEN + "removed: [{name: nightly, keep_row: true}]\n")
    done = project.apply()

    assert "Monitors: 1 left to the service\n" in done.out
    assert sorted(at_healthchecks.by_slug()) == ["nightly", "often"]


def test_without_a_service_apply_says_so(project: Project) -> None:
    project.schedules(NIGHTLY)

    assert "Monitors: SCHEDSYNC_MONITORS names no service for 1 monitor\n" in project.apply().out


def test_settings_that_are_wrong_stop_no_apply(project: Project, settings: Any) -> None:
    settings.SCHEDSYNC_MONITORS = {"healthchecks": {"kye": CANARY}}
    project.schedules(NIGHTLY)
    done = project.apply()

    assert done.code == 0
    assert "Monitors: `healthchecks` of SCHEDSYNC_MONITORS has 1 unknown keys" in done.out
    assert CANARY not in done.out + done.err


def test_the_key_is_never_seen(project: Project, settings: Any, healthchecks: HealthchecksServer) -> None:
    wrong = CANARY + "x"
    settings.SCHEDSYNC_MONITORS = {"healthchecks": {"url": healthchecks.url, "key": wrong}}
    project.schedules(NIGHTLY)
    seen = [project.apply("--format", "json"), project.plan(), project.drift(), project.command("doctor")]
    rows = list(Monitor.objects.using(project.using).values())

    assert 'HTTP 401: {\\"error\\": \\"wrong api key ***\\"}' in seen[0].out
    assert CANARY not in "".join(done.out + done.err for done in seen) + str(rows)


def test_plan_and_drift_show_the_monitors(project: Project, at_healthchecks: HealthchecksServer) -> None:
    project.schedules(NIGHTLY + OFTEN)
    planned, as_json = project.plan(), json.loads(project.plan("--format", "json").out)
    project.apply()
    clean = project.drift()
    at_healthchecks.by_slug()["nightly"]["grace"] = 60
    del at_healthchecks.monitors[next(key for key, one in at_healthchecks.monitors.items() if one["slug"] == "often")]
    found, drifted = project.drift(), json.loads(project.drift("--format", "json").out)
    healed = project.apply()

    assert "2 to create at healthchecks: nightly, often" in planned.out
    assert [one["name"] for one in as_json["monitors"]] == ["nightly", "often"]
    assert (clean.code, found.code) == (0, 2)
    assert "1 to change at healthchecks: nightly (changed at the service)" in found.out
    assert [(one["kind"], one["reason"]) for one in drifted["monitors"]] == [
        ("change", "changed at the service"), ("create", "deleted at the service"),
    ]  # fmt: skip
    assert "Monitors: 1 created, 1 changed\n" in healed.out
    assert project.drift().code == 0


def test_drift_says_that_a_service_did_not_answer(
    project: Project, at_healthchecks: HealthchecksServer, monkeypatch: Any
) -> None:
    monkeypatch.setattr("schedsync.http.client._BACKOFF", 0.0)
    project.schedules(NIGHTLY)
    project.apply()
    at_healthchecks.always = 500
    done = project.drift()

    assert done.code == 0
    assert "SS345  the monitors at healthchecks were not compared: HTTP 500" in done.out


def test_a_schedule_that_waits_to_be_deleted_is_muted(
    project: Project, at_healthchecks: HealthchecksServer, clock: Any
) -> None:
    project.write('[prune]\ngrace = "1d"\n', "schedsync.toml")
    project.schedules(NIGHTLY + OFTEN)
    project.apply()
    project.schedules(OFTEN)
    project.apply("--allow-stops", "9")
    waiting = at_healthchecks.by_slug()["nightly"]["status"]
    clock.shift(90_000)
    project.apply("--allow-stops", "9")

    assert waiting == "paused"
    assert list(at_healthchecks.by_slug()) == ["often"]


def test_a_rollback_makes_the_monitor_again(project: Project, at_healthchecks: HealthchecksServer) -> None:
    project.schedules(NIGHTLY + OFTEN)
    project.apply()
    project.schedules(OFTEN)
    project.apply("--allow-stops", "9")
    words = ("--yes", "--settle", "0", "--reason", "x", "--database", project.using, "--format", "json")
    done = project.command("rollback", *words)

    assert json.loads(done.out)["monitors"] == {
        "done": {"create": 1, "change": 0, "delete": 0, "forget": 0}, "failures": [], "waiting": 0,
    }  # fmt: skip
    assert sorted(at_healthchecks.by_slug()) == ["nightly", "often"]


def test_a_schedule_that_moves_to_another_set_keeps_its_monitor(
    project: Project, at_healthchecks: HealthchecksServer
) -> None:
    project.schedules(NIGHTLY + OFTEN)
    project.apply()
    (kept,) = [key for key, one in at_healthchecks.monitors.items() if one["slug"] == "nightly"]
    moved = project.command("ledger", "move", "nightly", "--to", "other", "--yes", "--database", project.using)
    assert moved.code == 0, moved.err
    project.schedules(OFTEN)
    project.apply()

    assert kept in at_healthchecks.monitors


def test_a_budget_that_is_over_leaves_the_rest_to_the_next_apply(
    project: Project, at_healthchecks: HealthchecksServer, monkeypatch: Any
) -> None:
    project.schedules("".join(f"  n{number}: {{task: t, every: 1h, monitor: true}}\n" for number in range(5)))
    # Each request asks twice.
    left = [60.0] * 8 + [0.0]
    monkeypatch.setattr("schedsync.http.client.Budget.left", property(lambda _self: left.pop(0) if left else 60.0))
    done = project.apply()
    project.apply()

    assert "Monitors: healthchecks: no time was left for it" in done.out
    assert "Monitors: 2 wait for the next apply" in done.out
    assert len(at_healthchecks.monitors) == 5
