"""Crontabs, intervals, solar and clocked times that managed schedules use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.db import connections
from django.test.utils import CaptureQueriesContext
from django_celery_beat.admin import CrontabScheduleAdmin
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)

from tests import router
from tests.admin.made import row, said, user
from tests.conftest import NOW, Project

FOUR = """\
  every: {task: t, every: 1m}
  cron: {task: t, crontab: "0 3 * * *"}
  sun: {task: t, solar: {event: sunset, latitude: 52.5, longitude: 13.4}}
  once: {task: t, at: 2099-01-01T00:00:00+00:00}
"""
KINDS = {"interval": "every", "crontab": "cron", "solar": "sun", "clocked": "once"}
PERMISSIONS = [
    f"django_celery_beat.{may}_{model}"
    for may in ("view", "add", "change", "delete")
    for model in ("intervalschedule", "crontabschedule", "solarschedule", "clockedschedule", "periodictask")
]
CHANGED = {
    "interval": {"every": "9", "period": "days"},
    "crontab": {
        "minute": "9", "hour": "9", "day_of_month": "9", "month_of_year": "9", "day_of_week": "1", "timezone": "UTC",
    },
    "solar": {"event": "dawn_civil", "latitude": "1", "longitude": "1"},
    "clocked": {"clocked_time_0": "2031-01-01", "clocked_time_1": "00:00:00"},
}  # fmt: skip
FORMSET = {
    "periodictask_set-TOTAL_FORMS": "1",
    "periodictask_set-INITIAL_FORMS": "1",
}


@pytest.fixture
def four(project: Project) -> Project:
    project.schedules(FOUR)
    assert project.apply().code == 0
    return project


def base(kind: str) -> str:
    return f"/admin/django_celery_beat/{kind}schedule/"


def table(kind: str) -> Any:
    models = {"interval": IntervalSchedule, "crontab": CrontabSchedule, "solar": SolarSchedule}
    return models.get(kind, ClockedSchedule).objects


@pytest.mark.one_database
@pytest.mark.parametrize("kind", KINDS)
def test_what_a_managed_schedule_uses_is_not_changed_or_deleted(four: Project, kind: str) -> None:
    client = user("sam", PERMISSIONS)
    pk = getattr(row(KINDS[kind]), f"{kind}_id")
    before = list(table(kind).values_list())
    page = client.get(f"{base(kind)}{pk}/change/?_popup=1").content.decode()
    changed = client.post(f"{base(kind)}{pk}/change/", CHANGED[kind] | FORMSET)
    deleted = client.post(f"{base(kind)}{pk}/delete/", {"post": "yes"})
    action = {"action": "delete_selected", "_selected_action": [pk], "post": "yes"}
    selected = client.post(base(kind), action)

    assert f"Schedules that Git manages use this row: “{KINDS[kind]}” (schedules/shop.yaml:" in page
    assert 'name="_save"' not in page
    assert "Nothing was saved" in said(changed)[0]
    assert "It was not deleted" in said(deleted)[-1]
    assert "1 row was left" in said(selected)[-1]
    assert list(table(kind).values_list()) == before
    assert four.drift().code == 0


@pytest.mark.one_database
def test_rows_that_only_others_use_are_changed_and_deleted_as_before(four: Project) -> None:
    free = CrontabSchedule.objects.create(minute="1")
    used = row("cron").crontab_id
    client = user("sam", PERMISSIONS)
    answer = client.post(
        f"{base('crontab')}{free.pk}/change/",
        CHANGED["crontab"] | {"periodictask_set-TOTAL_FORMS": "0", "periodictask_set-INITIAL_FORMS": "0"},
    )
    free.refresh_from_db()
    action = {"action": "delete_selected", "_selected_action": [free.pk, used], "post": "yes"}
    client.post(base("crontab"), action)

    assert (answer.status_code, free.minute) == (302, "9")
    assert [each.pk for each in CrontabSchedule.objects.all()] == [used]


@pytest.mark.one_database
def test_an_inline_of_the_project_cannot_edit_or_delete_managed_schedules(
    four: Project, registered: Callable[..., None]
) -> None:
    class Inline(admin.TabularInline):  # type: ignore[type-arg]
        model = PeriodicTask
        fields = ("name", "task")

    class Own(CrontabScheduleAdmin):  # type: ignore[misc]
        inlines = (Inline,)

    mine = CrontabSchedule.objects.create(minute="1")
    PeriodicTask.objects.create(name="free", task="t", crontab=mine)
    # A schedule that Git manages, moved by hand to a crontab of nobody.
    PeriodicTask.objects.filter(name="cron").update(crontab=mine)
    registered(Own, CrontabSchedule)
    client = user("sam", PERMISSIONS)
    page = client.get(f"{base('crontab')}{mine.pk}/change/")

    assert page.status_code == 200
    assert 'name="_save"' not in page.content.decode()
    formset = admin.site._registry[CrontabSchedule].get_inline_instances(page.wsgi_request, mine)[0]
    forms = formset.get_formset(page.wsgi_request, mine)(instance=mine).initial_forms
    assert {form.instance.name: form.fields["task"].disabled for form in forms} == {"free": False, "cron": True}
    assert {form.instance.name: form.fields["DELETE"].disabled for form in forms} == {"free": False, "cron": True}


@pytest.mark.one_database
def test_the_number_of_queries_of_a_delete_does_not_grow(four: Project) -> None:
    client, counts = user("sam", PERMISSIONS), []
    client.get(base("crontab"))
    for most in (2, 60):
        crontab = CrontabSchedule.objects.create(minute="1")
        PeriodicTask.objects.bulk_create(
            PeriodicTask(name=f"{most}-{number}", task="t", crontab=crontab, date_changed=NOW) for number in range(most)
        )
        with CaptureQueriesContext(connections[router.current]) as caught:
            assert client.get(f"{base('crontab')}{crontab.pk}/delete/").status_code == 200
        counts.append(len(caught))

    # The second row asks for the whole ledger; further ones ask nothing.
    assert counts[0] == counts[1]


@pytest.mark.one_database
@pytest.mark.parametrize(("mode", "said_so"), [("warn", True), ("off", False)])
def test_in_the_other_modes_the_row_is_changed(four: Project, settings: Any, mode: str, said_so: bool) -> None:
    settings.SCHEDSYNC_ADMIN = mode
    client = user("sam", PERMISSIONS)
    url = f"{base('interval')}{row('every').interval_id}/change/"
    page = client.get(url).content.decode()
    client.post(url, CHANGED["interval"] | FORMSET | {"periodictask_set-0-id": row("every").pk})

    assert ("The next apply gives them another row" in page) is said_so
    assert row("every").interval.period == "days"
