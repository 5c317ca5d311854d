"""The roles of examples/deploy/roles: each verb runs with the rights of its role, and says what another one lacks."""

from __future__ import annotations

import contextlib
import json
import re
import signal
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import _state
from django.apps import apps
from django.conf import settings
from django.db import connections
from django_celery_beat.models import PeriodicTask

from schedsync.agent.lease import AgentLease
from schedsync.beat.monitors import MonitorKeeper
from schedsync.database.open_runs import note_ended, note_started, note_waiting_again
from schedsync.models import OpenRun, Removal, StandingPause, SyncRun
from tests.acceptance.shop import Shop, shop
from tests.alarms.http_service import service
from tests.conftest import NOW, Done, Project
from tests.monitors.servers import CANARY, HealthchecksServer, serving
from tests.usecases.test_run import App

ROLES = Path(__file__).parents[2] / "examples/deploy/roles"
BASE = "  one: {task: t, every: 1m}\n  two: {task: t, every: 2m}\n"
CHANGED = "  one: {task: t, every: 5m}\n  three: {task: t, crontab: '30 2 * * *'}\nremoved: [two]\n"

#: Verbs by the role that they need, in an order in which each finds something to do.
VERBS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "read": (
        ("plan", "schedules"),
        ("status",),
        ("list",),
        ("why", "one"),
        ("history",),
        ("history", "one"),
        ("drift", "schedules"),
        ("accept", "--all", "--dry-run", "--path", "schedules"),
        ("import", "database"),
    ),
    "operate": (
        ("pause", "one", "--for", "1h", "--reason", "quiet", "--settle", "0"),
        ("resume", "one"),
        ("pause", "one", "--reason", "quiet", "--settle", "0"),
        ("resume", "one", "--catch-up"),
        ("pause", "--all", "--for", "1h", "--reason", "quiet"),
        ("resume", "--all"),
        ("pause", "o*", "--for", "1h", "--reason", "quiet", "--settle", "0"),
        ("resume", "o*"),
        ("run", "one"),
        ("run", "one", "--from", "2026-11-01T07:00Z", "--to", "2026-11-01T07:02Z"),
    ),
    "apply": (
        ("apply", "schedules", "--yes", "--settle", "0"),
        ("rollback", "--yes", "--settle", "0", "--reason", "quiet", "--allow-stops", "9"),
        ("rollback", "--end"),
        ("doctor", "--fix"),
        ("ledger", "bind", "-e", "production", "--yes"),
    ),
}
#: A verb of each kind that finds a right missing, whatever else its role may do.
NEEDING = {"operate": VERBS["operate"][4], "apply": VERBS["apply"][0]}
ALLOWED = {"doctor": (0, 1)}
#: The role of workers has no verb.
WORKER = "worker"
MAY = {
    "read": {"read"}, "operate": {"read", "operate"}, "apply": {"read", "apply"}, "alarms": {"read"}, "beat": {"read"},
}  # fmt: skip
REFUSED = {
    "postgresql": r"permission denied for table \w+\n  hint: the role `schedsync_test_\w+` lacks [A-Z, ]+ on ",
    "mariadb": r"(?:INSERT|UPDATE|DELETE) command denied to user",
}


def execute(using: str, sql: str) -> None:
    with connections[using].cursor() as cursor:
        for statement in _statements(using, sql):
            cursor.execute(statement)


def _statements(using: str, sql: str) -> list[str]:
    """PostgreSQL takes a whole file at once, and has statements with semicolons in them."""
    if connections[using].vendor == "postgresql":
        return [sql]
    lines = [line for line in sql.splitlines() if not line.startswith("--")]
    return [part for part in "\n".join(lines).split(";") if part.strip()]


def sql_of(using: str) -> str:
    return (ROLES / f"{using}.sql").read_text()


def user_of(role: str) -> str:
    return f"schedsync_test_{role}"


@contextlib.contextmanager
def users(using: str) -> Iterator[None]:
    """Make the roles in the database of a connection, and for each a user who has no other rights."""
    is_mariadb = connections[using].vendor == "mysql"
    host = "@'%'" if is_mariadb else ""
    execute(using, sql_of(using))
    try:
        for role in (*MAY, WORKER):
            if is_mariadb:
                execute(using, f"CREATE USER {user_of(role)}{host}; GRANT schedsync_{role} TO {user_of(role)}{host}")
                execute(using, f"SET DEFAULT ROLE schedsync_{role} FOR {user_of(role)}{host}")
            else:
                execute(using, f"CREATE ROLE {user_of(role)} LOGIN IN ROLE schedsync_{role}")
        yield
    finally:
        for role in (*MAY, WORKER):
            execute(using, f"DROP {'USER IF EXISTS' if is_mariadb else 'ROLE IF EXISTS'} {user_of(role)}{host}")
        for role in (WORKER, *reversed(MAY)):
            owned = "" if is_mariadb else f"DROP OWNED BY schedsync_{role}; "
            execute(using, f"{owned}DROP ROLE schedsync_{role}")


@contextlib.contextmanager
def logged_in(using: str, role: str) -> Iterator[None]:
    """Let this process be connected as the user who has a role."""
    connection = connections[using]
    before = connection.settings_dict["USER"]
    connection.close()
    connection.settings_dict["USER"] = user_of(role)
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["USER"] = before


def run(project: Project, words: tuple[str, ...]) -> Done:
    return project.command(*words, "--database", project.using)


@pytest.fixture
def broker() -> Iterator[None]:
    """The current app of this process has a broker in its memory."""
    before = _state._tls.current_app  # type: ignore[attr-defined]
    App("memory://", None).celery.set_current()
    yield
    _state._tls.current_app = before  # type: ignore[attr-defined]


def leave_a_standing_pause(using: str) -> None:
    """Leave one that has ended, as it is left where nothing was paused or resumed since."""
    since, until = NOW - timedelta(days=2), NOW - timedelta(days=1)
    StandingPause.objects.using(using).create(
        selector='{"queues":["gone"]}', reason="r", who="w", since=since, until=until
    )


def leave_a_removal(using: str) -> None:
    """Leave one of a name that is made again, as an older version leaves it."""
    Removal.objects.using(using).create(name="three", row_id=0, since=NOW, until=NOW)


@pytest.mark.one_database("postgresql", "mariadb")
@pytest.mark.parametrize("role", MAY)
def test_each_verb_runs_with_the_rights_of_its_role(role: str, project: Project, broker: None) -> None:
    project.schedules(BASE)
    assert project.apply().code == 0
    leave_a_standing_pause(project.using)
    leave_a_removal(project.using)
    project.write('[prune]\ngrace = "7d"\n', "schedsync.toml")
    project.schedules(CHANGED)
    granted = [words for kind, verbs in VERBS.items() if kind in MAY[role] for words in verbs]
    others = [words for kind, words in NEEDING.items() if kind not in MAY[role]]
    with users(project.using), logged_in(project.using, role):
        refused = [run(project, words) for words in others]
        done = {words: run(project, words) for words in granted}

    # The doctor has findings of its own about the settings of these tests.
    assert {words: each.err for words, each in done.items() if each.code not in ALLOWED.get(words[0], (0, 2))} == {}
    assert [each for each in refused if each.code != 69] == []
    for each in refused:
        error, hint = each.err.splitlines()[-2:]
        assert error.startswith(f"error: rights are missing in database `{project.using}`: ")
        assert re.search(REFUSED[project.using], f"{error}\n{hint}")


@pytest.mark.one_database("postgresql", "mariadb")
@pytest.mark.parametrize(("role", "words"), [("operate", VERBS["operate"][0]), ("apply", VERBS["apply"][0])])
def test_a_role_with_the_rights_of_an_older_version_goes_on_working(
    role: str, words: tuple[str, ...], project: Project
) -> None:
    project.schedules(BASE)
    project.apply()
    project.schedules(CHANGED)
    # MariaDB takes no right away that a role does not have.
    roles = ", ".join(f"schedsync_{each}" for each in MAY if each != "alarms")
    with users(project.using):
        execute(project.using, f"REVOKE ALL PRIVILEGES ON schedsync_historyname FROM {roles}")
        with logged_in(project.using, role):
            done = run(project, words)
        found = SyncRun.objects.using(project.using).get(verb=words[0], names=None)

    assert (done.code, found.who != "") == (0, True), done.err


@pytest.mark.one_database("postgresql", "mariadb")
def test_the_doctor_names_the_rights_that_a_role_lacks(project: Project) -> None:
    project.schedules(BASE)
    project.apply()
    with users(project.using), logged_in(project.using, "read"):
        done = run(project, ("doctor", "--format", "json"))
    lacking = {finding["message"] for finding in json.loads(done.out)["findings"] if finding["code"] == "SS311"}

    assert done.code == 1
    assert "no right to update in django_celery_beat_periodictask" in lacking
    assert [message for message in lacking if "right to select" in message] == []


@pytest.mark.one_database("postgresql", "mariadb")
def test_drift_sends_alarms_with_the_rights_of_its_role_and_says_that_another_role_lacks_them(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.schedules(BASE)
    project.apply()
    PeriodicTask.objects.using(project.using).filter(name="one").update(queue="x")
    with service() as inbox, users(project.using):
        monkeypatch.setattr("django.conf.settings.SCHEDSYNC_NOTIFY", [inbox.url], raising=False)
        done = {}
        for role in ("read", "alarms"):
            with logged_in(project.using, role):
                done[role] = run(project, ("drift", "schedules"))

        assert {role: each.code for role, each in done.items()} == {"read": 2, "alarms": 2}
        assert "no alarm is sent: " in done["read"].err
        assert (len(inbox.got), "alarm" in done["alarms"].err) == (1, False)


@pytest.mark.one_database("postgresql", "mariadb")
def test_services_are_told_of_monitors_with_the_rights_of_each_role(project: Project, settings: Any) -> None:
    text = "  one: {task: t, every: 1m, monitor: true}\n  two: {task: t, every: 2m, monitor: true}\n"
    with serving(HealthchecksServer()) as server, users(project.using):
        settings.SCHEDSYNC_MONITORS = {"healthchecks": {"url": server.url, "key": CANARY}}
        done = []
        with logged_in(project.using, "apply"):
            for schedules in (text, text.replace("true", "{grace: 9m}"), text.replace(", monitor: true}\n", "}\n", 1)):
                project.schedules(schedules)
                done.append(project.apply())
        with logged_in(project.using, "operate"):
            done.append(run(project, ("pause", "two", "--for", "1h", "--reason", "quiet", "--settle", "0")))
            done.append(run(project, ("resume", "two")))
        PeriodicTask.objects.using(project.using).filter(name="two").update(enabled=False)
        with logged_in(project.using, "beat"):
            MonitorKeeper(project.using).work()
        (monitor,) = server.monitors.values()

    assert [(each.code, each.err) for each in done] == [(0, "")] * 5
    told = [line.strip() for each in done for line in each.out.splitlines() if "Monitors:" in line]
    assert told == [
        "Monitors: 2 created", "Monitors: 2 changed", "Monitors: 1 changed, 1 deleted", "Monitors: 1 changed",
        "Monitors: 1 changed",
    ]  # fmt: skip
    assert (monitor["name"], monitor["status"]) == ("two", "paused")


@pytest.mark.one_database("postgresql", "mariadb")
def test_a_worker_tracks_runs_with_the_rights_of_its_role(project: Project) -> None:
    project.schedules(BASE)
    project.apply()
    with users(project.using), logged_in(project.using, WORKER):
        note_started(project.using, "a", "one", "w")
        started = open_runs(project.using)
        note_waiting_again(project.using, "a")
        note_ended(project.using, "a")
        ended = open_runs(project.using)

    assert (started, ended) == (["a"], [])


def open_runs(using: str) -> list[str]:
    return list(OpenRun.objects.using(using).values_list("task_id", flat=True))


@pytest.mark.one_database("postgresql", "mariadb")
def test_an_agent_takes_its_lease_with_the_rights_of_an_apply(project: Project) -> None:
    with users(project.using), logged_in(project.using, "apply"):
        lease = AgentLease(project.using)
        acts = lease.keep()
        lease.resign()

    assert (acts, lease.problem) == (True, None)


@pytest.mark.parametrize("server", REFUSED)
def test_each_table_is_in_the_rights_of_a_role(server: str) -> None:
    models = [model for app in ("django_celery_beat", "schedsync") for model in apps.get_app_config(app).get_models()]
    named = set(re.findall(r"\b(?:schedsync|django_celery_beat)_\w+", (ROLES / f"{server}.sql").read_text()))

    assert {model._meta.db_table for model in models} - named == set()


@pytest.fixture(params=REFUSED)
def beats(
    request: pytest.FixtureRequest, tmp_path: Path, test_databases: None, django_db_blocker: Any
) -> Iterator[Shop]:
    """A project whose Beats log in as the user who has the role of Beat."""
    alias = request.param
    if alias not in settings.DATABASES:
        pytest.skip(f"no {alias} on this machine")
    with django_db_blocker.unblock(), shop(alias, "filesystem://", tmp_path) as project:
        values = json.loads(project.environment["SHOP_DATABASES"])["default"]
        connection, before = connections[alias], connections[alias].settings_dict["NAME"]
        connection.close()
        connection.settings_dict["NAME"] = values["NAME"]
        try:
            with users(alias):
                connection.close()
                users_of = {role: json.dumps({"default": {**values, "USER": user_of(role)}}) for role in MAY}
                yield replace(project, environment={**project.environment, "USERS": json.dumps(users_of)})
        finally:
            connection.close()
            connection.settings_dict["NAME"] = before


def of_user(project: Shop, role: str) -> Shop:
    values = json.loads(project.environment["USERS"])[role]
    return replace(project, environment={**project.environment, "SHOP_DATABASES": values})


def test_an_application_is_recorded_with_the_right_to_read(beats: Shop) -> None:
    beats.write("version: 1\nschedules: {often: {task: t, every: 1m}}\n")
    done = of_user(beats, "read").run("snapshot")

    assert (done.returncode, json.loads(done.stdout or "{}").get("set")) == (0, "default"), done.stderr


def test_two_beats_send_and_hand_over_with_the_rights_of_theirs(beats: Shop) -> None:
    beats.write("version: 1\nschedules:\n  often: {task: t, every: 1s}\n  once: {task: t, every: 1s, one_off: true}\n")
    applied = beats.run("apply", "--yes", "--settle", "0")
    as_beat = of_user(beats, "beat")
    words = ("beat", "--pidfile=", "--loglevel", "info")
    with as_beat.process(*words, name="first") as first:
        beats.wait_until("first", "Sending due task often", 2)
        beats.wait_until("first", "Sending due task once", 1)
        paused = beats.run("pause", "often", "--for", "1s", "--reason", "loud", "--settle", "0")
        beats.wait_until("first", "paused no longer: often", 1)
        with as_beat.process(*words, name="second"):
            beats.wait_until("second", "standing by", 1)
            first.send_signal(signal.SIGTERM)
            beats.wait_until("second", "Sending due task often", 1)
            beats.write("version: 1\nschedules: {often: {task: t, every: 1s}}\nremoved: [once]\n")
            removed = beats.run("apply", "--yes", "--settle", "0")
            beats.wait_for("second", "Sending due task often", 2)
            seen = json.loads(beats.run("status", "--format", "json").stdout)
    logs = beats.log("first") + beats.log("second")

    assert [done.returncode for done in (applied, paused, removed)] == [0, 0, 0], (applied, paused, removed)
    assert [beat["leads"] for beat in seen["beats"]] == [True]
    assert [line for line in logs.splitlines() if re.search("denied|Traceback|failed|not written", line)] == []
