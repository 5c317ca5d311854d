"""What a team that edits in the admin is told at each step: the file and the line, the next step, and who can help."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import connections, transaction
from django.test import Client
from django_celery_beat.admin import PeriodicTaskAdmin
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from schedsync.models import BreakGlass, ManagedSchedule, Pause, SyncRun
from tests import router
from tests.admin.made import OURS, STOCK, TASKS, change_url, filled, operation_url, row, said, stock_form, user
from tests.admin.visitors import PAGE
from tests.conftest import Project
from tests.usecases.test_canary import CANARY, PLACES

pytestmark = pytest.mark.one_database
Registered = Callable[..., None]


def first(answer: Any) -> str:
    return said(answer)[0]


def test_a_row_that_is_added_by_hand_is_led_into_a_file(shop: Project, settings: Any) -> None:
    told = first(user().post(f"{TASKS}add/", stock_form("mine") | {"name": "by hand"}))
    command = told.split("`")[1]
    done = shop.command(*command.split()[1:3], "by hand", "--database", shop.using)
    settings.SCHEDSYNC_ADMIN = "off"
    silent = user("kim").post(f"{TASKS}add/", stock_form("mine") | {"name": "by kim"})

    assert told == (
        "No file in Git has “by hand”, so no review and no apply knows it. `schedsync import database 'by hand'` writes"
        " it as YAML, to be added to a file."
    )
    assert (done.code, "by hand:" in done.out) == (0, True)
    assert len(said(silent)) == 1


def test_where_nothing_is_managed_nobody_is_told_about_git(project: Project) -> None:
    PeriodicTask.objects.create(
        name="mine", task="t", interval=IntervalSchedule.objects.create(every=1, period="minutes")
    )
    answer = user().post(f"{TASKS}add/", stock_form("mine") | {"name": "by hand"})

    assert len(said(answer)) == 1


def test_a_row_that_gets_the_name_of_a_managed_schedule_is_said_to_be_taken(shop: Project) -> None:
    PeriodicTask.objects.filter(name__in=("one", "two")).delete()
    client = user()
    PeriodicTask.objects.create(name="other", task="t", interval=row("mine").interval)
    added = client.post(f"{TASKS}add/", stock_form("mine") | {"name": "one"})
    renamed = client.post(change_url("mine"), stock_form("mine") | {"name": "two"})

    for name, line, answer in (("one", 3, added), ("two", 4, renamed)):
        text = f"Git manages “{name}”: the next apply of set “default” gives this row the values of the files."
        assert f"{text} To change them, do it in Git, at schedules/shop.yaml:{line}." in said(answer)


def test_who_may_neither_pause_nor_edit_is_told_who_can(shop: Project) -> None:
    client = user("kim", STOCK)
    page = client.get(change_url("one")).content.decode()
    forged = client.post(change_url("one"), stock_form("one"))
    deleted = client.post(f"{TASKS}{row('one').pk}/delete/", {"post": "yes"})

    way = (
        "it in Git, at schedules/shop.yaml:3; to stop it now, ask somebody with the permission"
        " schedsync.pause_schedules. If a change cannot wait for Git, ask somebody with the permission"
        " schedsync.break_glass."
    )
    assert f"This form is read-only. Change {way}" in page
    assert said(forged)[0].endswith(f"nothing was saved: Git manages it. Change {way}")
    assert said(deleted)[-1].endswith(f"it was not deleted: Git manages it. Remove {way}")


def test_a_saved_change_is_told_where_to_keep_it(shop: Project) -> None:
    client = user()
    client.post(operation_url("break-glass", "one"), {"ids": row("one").pk, "reason": "r"})
    answer = client.post(change_url("one"), filled(client, change_url("one"), queue="other"))

    assert (
        "Git manages “one”: the next apply of set “default” undoes this change, unless the files say the same by then."
        " To keep it, make it in Git, at schedules/shop.yaml:3, or run `schedsync accept one`."
    ) in said(answer)


def test_the_form_links_to_the_page_of_its_schedule_for_who_may_see_it(shop: Project) -> None:
    link = f'href="{PAGE}schedule/{row("one").pk}/">Runs and history'
    seen = user("kim", (*STOCK, "schedsync.view_managedschedule")).get(change_url("one")).content.decode()

    assert link in seen
    assert link not in user().get(change_url("one")).content.decode()


def test_what_git_has_disabled_is_not_resumed_but_can_be_enabled_with_a_broken_glass(project: Project) -> None:
    project.schedules("  one: {task: t, every: 1m, enabled: false, disabled_reason: no customers}\n")
    assert project.apply().code == 0
    client = user()
    page = client.get(change_url("one")).content.decode()
    resumed = client.post(operation_url("resume", "one"), {"ids": row("one").pk})
    client.post(operation_url("break-glass", "one"), {"ids": row("one").pk, "reason": "r"})
    opened = client.get(change_url("one")).content.decode()
    client.post(change_url("one"), filled(client, change_url("one"), enabled="on"))
    enabled = row("one").enabled
    assert project.apply().code == 0

    assert "The files have it disabled: no customers." in page
    assert ("Resume…" in page, "Pause…" in page) == (False, True)
    assert "Git has it disabled" in first(resumed)
    assert 'name="enabled"' in opened
    assert (enabled, row("one").enabled) == (True, False)


def test_a_row_that_lost_its_name_to_another_one_is_nobodys_as_for_an_apply(shop: Project) -> None:
    PeriodicTask.objects.filter(name="one").update(name="uno")
    client = user()
    assert "Git manages this schedule" in client.get(change_url("uno")).content.decode()
    client.post(f"{TASKS}add/", stock_form("mine") | {"name": "one"})
    managed = client.get(TASKS, {"git": "managed"}).context["cl"].result_list
    paused = client.post(
        operation_url("pause", "one", "uno"), {"ids": f"{row('one').pk},{row('uno').pk}", "reason": "r"}
    )
    client.post(f"{TASKS}{row('uno').pk}/delete/", {"post": "yes"})

    assert "Paused: one." in said(paused)[-1]
    assert sorted(each.name for each in managed) == ["one", "two"]
    assert dict(PeriodicTask.objects.values_list("name", "enabled")) == {"one": False, "two": True, "mine": True}
    assert "1 row is managed by nobody" in shop.plan().out


def test_a_form_says_why_its_schedule_does_not_run(shop: Project) -> None:
    PeriodicTask.objects.filter(name="one").update(enabled=False)
    stop = ("pause", "--all", "--for", "30m", "--reason", "INC-7", "--database", shop.using)
    assert shop.command(*stop).code == 0
    client = user()
    held, running = (client.get(change_url(name)).content.decode() for name in ("one", "two"))

    assert "Held: somebody disabled it without a pause. No apply enables it; “Resume…” does." in held
    assert "Change it in Git, at schedules/shop.yaml:3. If a change" in held
    assert ("Resume…</a>" in held, "Pause…</a>" in held) == (True, False)
    assert ("Everything is paused by" in held, "Everything is paused by" in running) == (True, True)


def test_what_somebody_paused_is_not_enabled_with_a_broken_glass(project: Project) -> None:
    project.schedules("  one: {task: t, every: 1m, enabled: false, disabled_reason: no}\n")
    assert project.apply().code == 0
    client = user()
    for operation in ("pause", "break-glass"):
        client.post(operation_url(operation, "one"), {"ids": row("one").pk, "reason": "r", "hours": ""})

    assert 'name="enabled"' not in client.get(change_url("one")).content.decode()


@pytest.mark.one_database("postgresql", "mariadb")
def test_a_form_that_waits_for_an_apply_sees_that_it_has_closed_the_row(shop: Project) -> None:
    using, answers = router.current, []
    client = user()
    client.post(operation_url("break-glass", "one"), {"ids": row("one").pk, "reason": "r"})
    form = filled(client, change_url("one"), queue="other")

    def save() -> None:
        try:
            answers.append(client.post(change_url("one"), form))
        finally:
            connections[using].close()

    saving = threading.Thread(target=save)
    tasks = PeriodicTask.objects.using(using)
    with transaction.atomic(using=using):
        tasks.filter(name="one").update(description="as applied")
        saving.start()
        given_up = time.monotonic() + 60
        while not is_waiting(using) and saving.is_alive() and time.monotonic() < given_up:
            # MariaDB answers anew only if nobody has asked for 0.1 s.
            time.sleep(0.2)
        BreakGlass.objects.using(using).all().delete()
    saving.join()

    assert "nothing was saved: it was applied after this form was opened" in said(answers[0])[-1]
    assert tasks.values_list("queue", "description").get(name="one") == (None, "as applied")


def is_waiting(using: str) -> bool:
    """Say whether another connection waits for a lock of this one; it is asked in the transaction that has the lock."""
    connection = connections[using]
    if connection.vendor == "postgresql":
        # Within a transaction pg_stat_activity does not change, but pg_locks does.
        query = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    else:
        query = (
            "SELECT count(*) FROM information_schema.innodb_lock_waits w JOIN information_schema.innodb_trx b"
            " ON b.trx_id = w.blocking_trx_id WHERE b.trx_mysql_thread_id = CONNECTION_ID()"
        )
    with connection.cursor() as cursor:
        cursor.execute(query)
        return bool(cursor.fetchone()[0])


def root() -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("root", "r@example.org", "x"))
    return client


def test_the_pages_of_our_tables_show_no_secret(project: Project) -> None:
    project.schedules(
        "".join(f"  {name}:\n    task: t\n    every: 1m\n    {place}\n" for name, place in PLACES.items())
    )
    assert project.apply().code == 0
    client, base = root(), "/admin/schedsync/managedschedule/"
    pages = [client.get(f"{base}{each.pk}/change/") for each in ManagedSchedule.objects.all()]
    pages += [client.get(base), client.get("/admin/schedsync/syncrun/")]

    assert len(pages) == len(PLACES) + 2
    assert [page.wsgi_request.path for page in pages if CANARY in page.content.decode()] == []


HOSTILE = "javascript:alert(1)//\"'><img src=x onerror=alert(1)><script>alert(1)</script>{{ 7*7 }}\u202e"
SIGNS = ("<script>alert", "<img src=x", 'href="javascript', 'href="//evil', ">49<")


def test_a_hostile_text_in_each_column_is_text_everywhere_and_no_request_leads_away(shop: Project) -> None:
    one = row("one").pk
    people = json.dumps(dict.fromkeys(("owner", "runbook", "disabled_reason"), HOSTILE))
    PeriodicTask.objects.filter(pk=one).update(name=HOSTILE)
    columns = {"set": HOSTILE[:100], "commit": HOSTILE[:64], "path": HOSTILE}
    ManagedSchedule.objects.filter(row_id=one).update(name=HOSTILE, people=people, **columns)
    SyncRun.objects.update(repository=HOSTILE, who=HOSTILE, reason=HOSTILE, **columns)
    get_user_model().objects.create_superuser(HOSTILE, "r@example.org", "x")
    client = Client()
    client.force_login(get_user_model().objects.get())
    away, addresses = {"next": "//evil.example/"}, [TASKS, f"{TASKS}{one}/change/"]
    values = {"ids": one, "reason": HOSTILE, "hours": "", **away}
    posts = [(f"{TASKS}schedsync/{each}/", values) for each in ("pause", "resume", "break-glass")]
    posts += [(f"{TASKS}{one}/change/", {**stock_form(HOSTILE, queue=HOSTILE), **away})]
    posts += [(f"{TASKS}add/", {**stock_form(HOSTILE), "name": f"{HOSTILE}2", **away})]
    posts += [(TASKS, {"action": "toggle_tasks", "_selected_action": [one], **away})]
    pages, left = [], []
    for address, sent in posts:
        answer = client.post(address, sent)
        left.append(answer["Location"])
        pages += [client.get(each) for each in addresses]
    pages += [
        client.get(each, {"q": HOSTILE}) for each in (TASKS, f"{TASKS}{one}/history/", PAGE, f"{PAGE}schedule/{one}/")
    ]

    assert {page.status_code for page in pages} == {200}
    assert [sign for page in pages for sign in SIGNS if sign in page.content.decode()] == []
    assert [each for each in left if not each.startswith("/admin/")] == []


def test_a_class_that_decides_everything_itself_is_protected_too(shop: Project, registered: Registered) -> None:
    class Own(PeriodicTaskAdmin):  # type: ignore[misc]
        only = ("name", "task", "interval", "args", "kwargs", "queue")

        def get_form(self, request: Any, obj: Any = None, **kwargs: Any) -> Any:
            return super().get_form(request, obj, **{**kwargs, "fields": self.only})

        def get_fieldsets(self, request: Any, obj: Any = None) -> Any:
            return ((None, {"fields": self.only}),)

        def get_readonly_fields(self, request: Any, obj: Any = None) -> Any:
            return ("total_run_count",)

        def get_list_display(self, request: Any) -> Any:
            return ("name",)

        def get_list_filter(self, request: Any) -> Any:
            return ()

        def get_actions(self, request: Any) -> Any:
            return {}

        def save_model(self, request: Any, obj: Any, form: Any, change: Any) -> None:
            obj.queue = "own"
            obj.save()

    registered(Own)
    client = user("sam", (*STOCK, *OURS))
    forged = client.post(change_url("one"), stock_form("one", queue="evil"))
    saved = client.post(change_url("mine"), stock_form("mine", queue="evil"))
    pages = [client.get(url) for url in (TASKS, f"{TASKS}add/", change_url("one"), change_url("mine"))]

    assert [page.status_code for page in pages] == [200] * 4
    assert "Git manages it" in said(forged)[0]
    assert (row("one").queue, row("mine").queue, saved.status_code) == (None, "own", 302)
    assert isinstance(admin.site._registry[PeriodicTask], Own)
    assert Pause.objects.count() == 0
