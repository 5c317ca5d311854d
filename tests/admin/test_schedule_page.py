"""The page of one schedule in Django's admin: what it shows for every name, and what its forms do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import git
import pytest
from celery import _state
from django.test import override_settings
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from schedsync.models import ManagedSchedule, Pause, SyncRun
from tests.admin.visitors import EVERYTHING, PAGE, PAUSE, RUN, VIEW, named, told, visitor
from tests.beat.test_tables import without
from tests.conftest import DATABASES, NOW, Project
from tests.usecases.test_run import App

pytestmark = pytest.mark.one_database

SHOP = """\
  nightly-report:
    task: t
    crontab: '30 2 * * *'
    timezone: Europe/Berlin
    kwargs: {api_token: s3cret, kind: full}
    overlap: skip
    max_runtime: 90m
    owner: team-data
  heartbeat: {task: t, every: 1m}
"""
NAUGHTY = ["a/b", "../..", "5", "<script>alert(1)</script>", "a?b#c&d=e", "naïve ☃", "'; DROP TABLE x; --", " blank "]


@pytest.fixture
def shop(project: Project, clock: Any, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("SCHEDSYNC_ACTOR", "jo")
    project.schedules(SHOP)
    assert project.apply().code == 0
    return project


@pytest.fixture
def app() -> Iterator[App]:
    """The current app of this process, on a broker in its memory."""
    made, before = App("memory://", None), _state._tls.current_app  # type: ignore[attr-defined]
    made.celery.set_current()
    yield made
    _state._tls.current_app = before  # type: ignore[attr-defined]


def address(using: str, name: str) -> str:
    return f"{PAGE}schedule/{PeriodicTask.objects.using(using).get(name=name).pk}/"


def test_it_shows_when_it_runs_why_and_what_was_applied(shop: Project) -> None:
    answer = visitor(shop.using, VIEW).get(named("nightly-report"), follow=True)
    page = answer.content.decode()

    assert answer.redirect_chain == [(address(shop.using, "nightly-report"), 302)]
    assert answer.context["ahead"] == {
        "zone": "Europe/Berlin",
        "runs": [f"{day} Nov 02:30" for day in ("Tue 24", "Wed 25", "Thu 26", "Fri 27", "Sat 28")],
    }
    assert answer.context["coming"] == "next run Tue 24 Nov 02:30 Europe/Berlin"
    assert dict(answer.context["facts"])["Timing"].startswith("daily 02:30 Europe/Berlin")
    assert answer.context["yaml"] == (
        "nightly-report:\n  task: t\n  crontab: \"30 2 * * *\"\n  timezone: Europe/Berlin\n"
        "  kwargs: {api_token: \"***\", kind: full}\n  overlap: skip\n  max_runtime: 90m\n  owner: team-data\n"
    )  # fmt: skip
    assert "schedules/shop.yaml:3" in page
    assert [(row["what"], row["who"]) for row in answer.context["changes"]] == [("created", "jo")]
    assert "s3cret" not in page


def test_its_place_and_commit_are_links_where_the_forge_is_known(project: Project, clock: Any) -> None:
    with git.Repo.init(project.root, initial_branch="main") as repository:
        repository.create_remote("origin", "https://bot:s3cret@github.example.org/acme/shop.git")
        project.schedules(SHOP)
        repository.git.add("schedules")
        repository.git.execute(["git", "-c", "user.name=s", "-c", "user.email=s@example.org", "commit", "-m", "x"])
        commit = repository.head.commit.hexsha
    assert project.apply().code == 0
    client = visitor(project.using, VIEW)
    one = client.get(named("heartbeat"), follow=True).content.decode()
    everything = client.get(PAGE).content.decode()

    web = "https://github.example.org/acme/shop"
    assert f'href="{web}/blob/{commit}/schedules/shop.yaml#L11"' in one
    assert f'href="{web}/commit/{commit}"' in one
    assert f'href="{web}/commit/{commit}"' in everything
    assert "s3cret" not in one + everything


@pytest.mark.parametrize("name", NAUGHTY)
def test_each_name_has_a_page(using: str, clock: Any, name: str) -> None:
    timing = CrontabSchedule.objects.using(using).create(minute="0")
    row = PeriodicTask.objects.using(using).create(pk=77, name=name, task="t", crontab=timing)
    client = visitor(using, VIEW)
    index = client.get(PAGE).content.decode()
    answer = client.get(named(name), follow=True)

    assert answer.redirect_chain == [(f"{PAGE}schedule/{row.pk}/", 302)]
    assert answer.context["name"] == name
    assert "<script>alert" not in index + answer.content.decode()
    assert answer.context["cells"]["state"] == "unmanaged"


def test_a_schedule_without_a_row_is_found_by_its_name(shop: Project) -> None:
    PeriodicTask.objects.using(shop.using).filter(name="heartbeat").delete()
    client = visitor(shop.using, *EVERYTHING)
    by_query, by_path = client.get(named("heartbeat")), client.get(f"{PAGE}schedule/heartbeat/")

    assert [answer.status_code for answer in (by_query, by_path)] == [200, 200]
    assert "its row is gone" in by_query.content.decode()
    assert "Pause it now" not in by_query.content.decode()


def test_a_row_that_somebody_renamed_is_the_managed_schedule(shop: Project) -> None:
    PeriodicTask.objects.using(shop.using).filter(name="heartbeat").update(name="pulse")
    client = visitor(shop.using, *EVERYTHING)
    answer = client.get(address(shop.using, "pulse"))

    assert (answer.context["name"], answer.context["cells"]["state"]) == ("heartbeat", "drifted")


@pytest.mark.parametrize("name", ["nobody", "0", "99999999999999999999", "%00", "x" * 201, ""])
def test_a_name_that_nobody_knows_is_not_found(shop: Project, name: str) -> None:
    client = visitor(shop.using, *EVERYTHING)
    paths = [f"{PAGE}schedule/?name={name}", *([f"{PAGE}schedule/{name}/"] if name else [])]

    assert {client.get(path).status_code for path in paths} == {404}


@pytest.mark.one_database(*DATABASES)
def test_it_is_paused_and_resumed_in_the_name_of_the_user(shop: Project) -> None:
    client, url = visitor(shop.using, *EVERYTHING), address(shop.using, "heartbeat")
    paused = client.post(url, {"action": "pause", "minutes": "120", "reason": "INC-42"}, follow=True)
    resumed = client.post(url, {"action": "resume"}, follow=True)
    stale = client.post(url, {"action": "resume"}, follow=True)

    assert told(paused)[0].startswith("Paused heartbeat until Mon 23 Nov 12:00 UTC")
    assert (paused.context["cells"]["state"], paused.context["coming"]) == ("paused", "after Mon 23 Nov 12:00 UTC")
    assert told(resumed) == ["heartbeat runs again"]
    assert told(stale) == ["`heartbeat` is neither paused nor held"]
    who = SyncRun.objects.using(shop.using).filter(verb__in=("pause", "resume")).values_list("who", flat=True)
    assert list(who) == ["ann", "ann"]
    assert not Pause.objects.using(shop.using).exists()


def test_a_pause_without_an_end_and_a_name_like_a_glob(project: Project, clock: Any) -> None:
    project.schedules("  'sync-*': {task: t, every: 1m}\n  sync-a: {task: t, every: 1m}\n")
    assert project.apply().code == 0
    url = address(project.using, "sync-*")
    visitor(project.using, *EVERYTHING).post(url, {"action": "pause", "minutes": "0", "reason": "x"})

    shown = visitor(project.using, VIEW, name="bob").get(url).context["coming"]

    assert list(Pause.objects.using(project.using).values_list("name", "until")) == [("sync-*", None)]
    assert shown == "after <code>schedsync resume</code>"


def test_a_run_by_hand_is_sent_and_recorded_with_the_user(shop: Project, app: App) -> None:
    answer = visitor(shop.using, *EVERYTHING).post(address(shop.using, "heartbeat"), {"action": "run"}, follow=True)
    [message] = app.received()

    assert told(answer) == [f"sent heartbeat as task {message.headers['id']}"]
    assert message.headers["schedsync_run_by"] == "ann"
    assert SyncRun.objects.using(shop.using).get(verb="run").who == "ann"


def test_a_broker_that_is_away_is_a_message(shop: Project, app: App) -> None:
    app.celery.conf.broker_url = "amqp://127.0.0.1:1//"
    answer = visitor(shop.using, *EVERYTHING).post(address(shop.using, "heartbeat"), {"action": "run"}, follow=True)

    assert "broker" in told(answer)[0]
    assert not SyncRun.objects.using(shop.using).filter(verb="run").exists()


def test_a_paused_schedule_is_not_sent_by_hand(shop: Project, app: App) -> None:
    client, url = visitor(shop.using, *EVERYTHING), address(shop.using, "heartbeat")
    client.post(url, {"action": "pause", "minutes": "60", "reason": "INC-42"}, follow=True)
    answer = client.post(url, {"action": "run"}, follow=True)

    assert told(answer)[0].startswith("`heartbeat` is paused by ann: INC-42")
    assert app.received() == []


FORMS = {PAUSE: ("pause", "resume"), RUN: ("run",)}


@pytest.mark.parametrize(("needed", "other"), [(PAUSE, RUN), (RUN, PAUSE)])
def test_a_form_needs_its_own_permission_and_the_token(shop: Project, needed: str, other: str) -> None:
    url = address(shop.using, "heartbeat")
    forms = [{"action": action, "minutes": "60", "reason": "x"} for action in FORMS[needed]]
    without, forger = visitor(shop.using, VIEW, other), visitor(shop.using, *EVERYTHING, name="eve", csrf=True)
    blind = visitor(shop.using, needed, name="bob")
    runs = SyncRun.objects.using(shop.using).count()

    assert {client.post(url, form).status_code for form in forms for client in (without, forger, blind)} == {403}
    assert SyncRun.objects.using(shop.using).count() == runs


def test_what_the_user_may_not_do_has_no_form(shop: Project) -> None:
    url = address(shop.using, "heartbeat")
    pages = [
        visitor(shop.using, VIEW, *may, name=f"u{may}").get(url).content.decode() for may in ((), (PAUSE,), (RUN,))
    ]

    buttons = ("Pause it now", "Send it now")
    assert [[text in page for text in buttons] for page in pages] == [[False, False], [True, False], [False, True]]


def test_a_transaction_around_each_request_is_no_obstacle(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import connections

    monkeypatch.setitem(connections[shop.using].settings_dict, "ATOMIC_REQUESTS", True)
    client, url = visitor(shop.using, *EVERYTHING), address(shop.using, "heartbeat")
    answer = client.post(url, {"action": "pause", "minutes": "60", "reason": "x"}, follow=True)

    assert told(answer)[0].startswith("Paused heartbeat")


def test_values_of_rows_and_records_are_text(shop: Project) -> None:
    html = "<img src=x onerror=alert(1)>"
    rows = PeriodicTask.objects.using(shop.using).filter(name="heartbeat")
    rows.update(task=html, queue=html, description=html, date_changed=NOW + timedelta(seconds=1))
    ManagedSchedule.objects.using(shop.using).filter(name="heartbeat").update(path=html, commit=html[:64])
    SyncRun.objects.using(shop.using).update(who=html, reason=html, pull_request=f"javascript:{html}", commit=html)
    client = visitor(shop.using, *EVERYTHING)
    shown = client.get(PAGE).content.decode() + client.get(address(shop.using, "heartbeat")).content.decode()

    assert "<img" not in shown
    assert 'href="javascript' not in shown
    assert "&lt;img src=x" in shown


@override_settings(USE_TZ=False)
def test_settings_that_schedsync_cannot_work_with_are_named(using: str) -> None:
    answer = visitor(using, VIEW).get(PAGE)

    assert answer.status_code == 503
    assert "USE_TZ" in answer.content.decode()


@pytest.mark.parametrize("path", ["", "schedule/?name=heartbeat"])
def test_a_database_that_is_not_migrated_is_named(shop: Project, path: str) -> None:
    client = visitor(shop.using, VIEW)
    with without(shop.using, ManagedSchedule):
        answer = client.get(PAGE + path, follow=True)

    assert answer.status_code == 503
    assert "is not migrated" in answer.content.decode()
