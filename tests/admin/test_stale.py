"""Forms that are out of date, two users at once, and rows that became managed while a form was open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from celery import current_app
from django.contrib import admin
from django.db import connections
from django.test import Client
from django_celery_beat.admin import PeriodicTaskAdmin
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from schedsync.models import BreakGlass, ManagedSchedule, Pause, SyncRun
from tests.admin.made import TASKS, change_url, filled, operation_url, row, said, stock_form, user
from tests.admin.test_timings import PERMISSIONS
from tests.admin.visitors import EVERYTHING, PAGE, visitor
from tests.conftest import Project

pytestmark = pytest.mark.one_database
Registered = Callable[..., None]
INTERVALS = "/admin/django_celery_beat/intervalschedule/"


def glass(client: Client, name: str = "one") -> None:
    client.post(operation_url("break-glass", name), {"ids": row(name).pk, "reason": "r"})


@pytest.mark.parametrize("extra", [{"_to_field": "id"}, {"_popup": "1"}, {"_continue": "1"}])
def test_no_parameter_of_the_admin_passes_by_the_question_whether_a_form_is_new(
    shop: Project, extra: dict[str, str]
) -> None:
    client = user()
    glass(client)
    form = filled(client, change_url("one"), queue="other", schedsync_applied_at="2001-01-01T00:00:00+00:00")
    answer = client.post(change_url("one"), form | extra)

    assert "it was applied after this form was opened. The form shows it as it is now" in said(answer)[-1]
    assert row("one").queue is None


def sent(forms: Any, **values: str) -> dict[str, Any]:
    """Return what a list with ``list_editable`` sends, with the same values in each row."""
    count = {"form-TOTAL_FORMS": str(len(forms)), "form-INITIAL_FORMS": str(len(forms)), "_save": "Save"}
    for number, form in enumerate(forms):
        count |= {f"form-{number}-id": form.instance.pk}
        count |= {f"form-{number}-{name}": value for name, value in values.items()}
    return count


def test_a_list_of_intervals_that_can_be_edited_leaves_those_of_managed_schedules(
    shop: Project, registered: Registered
) -> None:
    class Own(admin.ModelAdmin):  # type: ignore[type-arg]
        list_display = ("id", "every", "period")
        list_editable = ("every",)

    free = IntervalSchedule.objects.create(every=77, period="days")
    registered(Own, IntervalSchedule)
    client = user("sam", PERMISSIONS)
    forms = client.get(INTERVALS).context["cl"].formset.forms
    disabled = {form.instance.every: form.fields["every"].disabled for form in forms}
    answer = client.post(INTERVALS, sent(forms, every="999"))
    free.refresh_from_db()

    assert disabled == {1: True, 2: True, 77: False}
    assert (row("one").interval.every, row("two").interval.every, free.every) == (1, 2, 999)
    assert any("Not saved, because Git manages them: " in each for each in said(answer))
    assert shop.drift().code == 0


def test_an_interval_that_becomes_managed_while_it_is_saved_stays(shop: Project, registered: Registered) -> None:
    free = IntervalSchedule.objects.create(every=77, period="days")

    class Own(admin.ModelAdmin):  # type: ignore[type-arg]
        list_display = ("id", "every")
        list_editable = ("every",)

        def save_form(self, request: Any, form: Any, change: Any) -> Any:
            # As an apply of another process does it at this moment.
            PeriodicTask.objects.filter(name="one").update(interval=free)
            return super().save_form(request, form, change)

    registered(Own, IntervalSchedule)
    client = user("sam", PERMISSIONS)
    forms = client.get(INTERVALS).context["cl"].formset.forms
    listed = client.post(INTERVALS, sent(forms, every="999"))
    PeriodicTask.objects.filter(name="one").update(interval=row("two").interval)
    saved = client.post(f"{INTERVALS}{free.pk}/change/", {"every": "999", "period": "days"})
    free.refresh_from_db()

    assert "a managed schedule uses one of these rows since" in said(listed)[-1]
    assert "managed schedules use “every 77 days”: “one”" in said(saved)[-1]
    assert free.every == 77


class Listed(PeriodicTaskAdmin):  # type: ignore[misc]
    list_display = ("name", "enabled", "queue")
    list_editable = ("enabled", "queue")


def test_a_list_that_was_opened_before_git_managed_a_row_says_that_it_was_not_saved(
    shop: Project, registered: Registered
) -> None:
    registered(Listed)
    client = user()
    forms = client.get(TASKS).context["cl"].formset.forms
    shop.schedules("  one: {task: t, every: 1m}\n  two: {task: t, every: 2m}\n  mine: {task: t, every: 1m}\n")
    assert shop.apply("--adopt-all").code == 0
    ours = [form for form in forms if form.instance.name == "mine"]
    answer = client.post(TASKS, sent(ours, queue="other", enabled="on"))

    assert said(answer) == [
        "Not saved, because Git manages them: “mine: every minute”. Change them in Git; each form says where."
    ]
    assert row("mine").queue is None


def test_a_list_says_so_where_an_apply_closes_a_row_meanwhile(shop: Project, registered: Registered) -> None:
    class Own(Listed):
        def save_form(self, request: Any, form: Any, change: Any) -> Any:
            BreakGlass.objects.all().delete()
            return super().save_form(request, form, change)

    registered(Own)
    client = user()
    glass(client)
    forms = client.get(TASKS).context["cl"].formset.forms
    answer = client.post(TASKS, sent(forms, queue="other", enabled="on"))

    assert answer.status_code == 302
    assert any("“one”: nothing was saved: it was applied after this form was opened" in each for each in said(answer))
    assert row("one").queue is None


def test_the_form_of_a_row_that_is_gone_acts_on_no_schedule_with_its_number(shop: Project) -> None:
    number = row("one").pk
    shop.schedules(
        f"  one: {{task: t, every: 1m}}\n  two: {{task: t, every: 2m}}\n  '{number}': {{task: t, every: 3m}}\n"
    )
    assert shop.apply().code == 0
    PeriodicTask.objects.filter(name="one").delete()
    client = visitor(shop.using, *EVERYTHING)
    answer = client.post(f"{PAGE}schedule/{number}/", {"action": "pause", "minutes": "60", "reason": "r"})
    looked = client.get(f"{PAGE}schedule/{number}/")

    assert said(answer) == ["Nothing was done: the row of this schedule is gone. Look for its name in the list"]
    assert Pause.objects.count() == 0
    assert looked["Location"] == f"{PAGE}schedule/{row(str(number)).pk}/"


def test_the_second_of_two_pauses_says_which_one_it_replaces(shop: Project) -> None:
    values = {"ids": row("one").pk, "hours": ""}
    user("sam").post(operation_url("pause", "one"), {**values, "reason": "INC-7"})
    kim = user("kim")
    answer = kim.post(operation_url("pause", "one"), {**values, "reason": "INC-8", "hours": "1"})
    user("jo").post(operation_url("resume", "one"), values)
    again = kim.post(operation_url("resume", "one"), values)

    assert said(answer) == ["Paused: one, instead of the pause of “one” by sam: INC-7. No apply undoes it."]
    assert "neither paused nor held" in said(again)[-1]
    assert row("one").enabled is True


def test_a_run_of_what_another_user_has_just_paused_is_refused(shop: Project, broker: Any) -> None:
    sam, kim = user("sam"), user("kim")
    page = sam.get(operation_url("run", "one"))
    kim.post(operation_url("pause", "one"), {"ids": row("one").pk, "reason": "INC-7", "hours": ""})
    answer = sam.post(page.context["action"], {"ids": page.context["ids"]})

    assert "`one` is paused by kim" in said(answer)[-1]
    assert SyncRun.objects.filter(verb="run").count() == 0


def test_of_two_who_break_the_glass_both_are_in_the_history_and_the_later_one_in_the_form(shop: Project) -> None:
    glass(user("sam"))
    kim = user("kim")
    glass(kim)

    assert "Open for editing</b> by kim" in kim.get(change_url("one")).content.decode()
    assert sorted(SyncRun.objects.filter(verb="break_glass").values_list("who", flat=True)) == ["kim", "sam"]


def test_where_a_form_may_edit_all_it_does_not_end_a_pause_that_it_has_not_seen(shop: Project, settings: Any) -> None:
    settings.SCHEDSYNC_ADMIN = "warn"
    sam, url = user("sam"), change_url("one")
    hidden = sam.get(url).content.decode().split('name="schedsync_applied_at" value="')[1].split('"')[0]
    form = filled(sam, url, queue="other", enabled="on", schedsync_applied_at=hidden)
    user("kim").post(operation_url("pause", "one"), {"ids": row("one").pk, "reason": "INC-7", "hours": ""})
    answer = sam.post(url, form)

    assert "nothing was saved: it was applied, paused or resumed after this form was opened" in said(answer)[-1]
    assert (row("one").enabled, row("one").queue) == (False, None)


@pytest.mark.parametrize("operation", ["pause", "resume", "run", "break-glass"])
def test_what_was_released_or_deleted_meanwhile_is_left_and_said(shop: Project, broker: Any, operation: str) -> None:
    client, url, values = user(), operation_url(operation, "one"), {"ids": row("one").pk, "reason": "r", "hours": ""}
    ManagedSchedule.objects.filter(name="one").delete()
    released = client.post(url, values)
    PeriodicTask.objects.filter(name="one").delete()
    deleted = client.post(url, values)

    assert [said(each)[-1] for each in (released, deleted)] == ["None of these rows is managed in Git."] * 2
    assert (Pause.objects.count(), BreakGlass.objects.count()) == (0, 0)


def test_messages_that_were_sent_before_one_failed_are_named(shop: Project, broker: Any) -> None:
    def route(_name: str, args: list[Any], *_: Any, **__: Any) -> None:
        if args:
            raise ValueError("no queue takes this")

    PeriodicTask.objects.filter(name="two").update(args='["refused"]')
    current_app.conf.task_routes = (route,)
    client, values = user(), {"ids": f"{row('one').pk},{row('two').pk}"}
    answer = client.post(operation_url("run", "one", "two"), values)

    assert said(answer)[0] == "Sent: one. Then it failed."
    assert "two" in said(answer)[1]
    assert answer.status_code == 302
    assert SyncRun.objects.filter(verb="run").count() == 1


def test_more_rows_than_a_request_can_send_are_refused_at_once(project: Project, broker: Any) -> None:
    values = ", ".join(f'"{number}"' for number in range(101))
    project.schedules(f"  'many-{{n}}':\n    task: t\n    every: 1m\n    for_each: {{n: [{values}]}}\n")
    assert project.apply().code == 0
    client, ids = user(), list(PeriodicTask.objects.values_list("pk", flat=True))
    asked = client.post(TASKS, {"action": "run_tasks", "_selected_action": ids[:1], "select_across": "1"})
    forged = client.post(f"{TASKS}schedsync/run/", {"ids": ",".join(map(str, ids))})

    text = "Run now: 101 schedules are selected, and at most 100 are done here. Select fewer."
    assert [said(each)[-1] for each in (asked, forged)] == [text, text]
    assert SyncRun.objects.filter(verb="run").count() == 0


def test_what_cannot_be_read_leaves_a_form_and_a_list_that_say_so(shop: Project) -> None:
    client = user()
    with connections[shop.using].cursor() as cursor:
        cursor.execute("ALTER TABLE schedsync_pause RENAME TO hidden")
        try:
            form, listed = client.get(change_url("one")), client.get(TASKS, {"git": "held"})
        finally:
            cursor.execute("ALTER TABLE hidden RENAME TO schedsync_pause")

    assert "Not all of it can be read" in form.content.decode()
    assert "The filter “Git” cannot be used" in listed.content.decode()
    assert "nothing was saved" in said(client.post(change_url("one"), stock_form("one")))[-1]
