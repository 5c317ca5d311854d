"""The mixins reach the class that is registered last, on every site; and projects without the admin need none."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.core import checks
from django.test import Client, override_settings
from django.urls import clear_url_caches, path, reverse
from django_celery_beat.admin import PeriodicTaskAdmin
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from schedsync.admin import ManagedScheduleAdminMixin, TimingAdminMixin
from schedsync.admin.sites import prepare, prepare_sites
from tests.admin.made import TASKS, change_url, filled, row, said, stock_form, user
from tests.conftest import Project

Registered = Callable[..., None]


class Own(PeriodicTaskAdmin):  # type: ignore[misc]
    list_display = ("name", "queue", "shout")
    list_filter = ("queue",)
    actions = ("shout_all",)
    list_select_related = False
    fieldsets = None
    fields = ("name", "task", "interval")
    change_form_template = None

    def shout(self, obj: Any) -> str:
        return str(obj.name).upper()

    def shout_all(self, request: Any, queryset: Any) -> None:
        """Do nothing."""


@pytest.mark.one_database
@pytest.mark.parametrize("own", [Own, type("Bare", (admin.ModelAdmin,), {})])
def test_a_class_of_the_project_is_added_to(shop: Project, registered: Registered, own: Any) -> None:
    registered(own)
    client = user()
    page = client.get(TASKS).content.decode()
    forged = client.post(change_url("one"), stock_form("one", task="evil"))

    assert "Git manages it" in said(forged)[0]
    assert "Git manages this schedule" in client.get(change_url("one")).content.decode()
    assert "column-schedsync_git" in page
    assert (">ONE<" in page, "shout_all" in page) == (own is Own, own is Own)
    assert row("one").task == "t"


@pytest.mark.one_database
def test_a_class_that_has_the_mixin_already_is_left_as_it_is(shop: Project, registered: Registered) -> None:
    class Mixed(ManagedScheduleAdminMixin, PeriodicTaskAdmin):  # type: ignore[misc]
        """As the guide shows it."""

    registered(Mixed)

    assert type(admin.site._registry[PeriodicTask]) is Mixed
    assert "Git manages it" in said(user().post(change_url("one"), stock_form("one")))[0]


class Proxy(PeriodicTask):  # type: ignore[misc]
    class Meta:
        proxy = True
        app_label = "django_celery_beat"


class Later(admin.AdminSite):
    """A site that reads what is registered before it asks its parent."""

    def get_urls(self) -> Any:
        models = [
            path(f"{model._meta.app_label}/{model._meta.model_name}/", each_urls(registered))
            for model, registered in self._registry.items()
        ]
        return [*models, *super().get_urls()]


def each_urls(registered: Any) -> Any:
    from django.urls import include

    return include(registered.urls)


urlpatterns: list[Any] = []


@pytest.mark.one_database
@pytest.mark.parametrize("kind", [admin.AdminSite, Later])
def test_a_site_that_is_made_later_and_a_proxy_are_protected_too(shop: Project, kind: Any) -> None:
    site = kind(name="backoffice")
    site.register(Proxy, Own)
    site.register(CrontabSchedule, admin.ModelAdmin)
    client = user("root")
    from django.contrib.auth import get_user_model

    get_user_model().objects.update(is_superuser=True)
    urlpatterns[:] = [path("back/", site.urls)]
    with override_settings(ROOT_URLCONF="tests.admin.test_sites"):
        clear_url_caches()
        url = reverse("admin:django_celery_beat_proxy_change", args=[row("one").pk], current_app="backoffice")
        shown = client.get(url).content.decode()
        answer = client.post(url, stock_form("one", task="evil"))
    clear_url_caches()

    assert "Git manages this schedule" in shown
    assert (answer.status_code, row("one").task) == (302, "t")
    assert isinstance(site._registry[Proxy], ManagedScheduleAdminMixin)
    assert isinstance(site._registry[CrontabSchedule], TimingAdminMixin)
    apps.get_app_config("django_celery_beat").models.pop("proxy", None)


@pytest.mark.one_database
def test_to_prepare_twice_changes_nothing(shop: Project) -> None:
    get_urls, registered = admin.AdminSite.get_urls, dict(admin.site._registry)
    prepare_sites()
    prepare(admin.site)
    prepare(admin.site)

    assert admin.AdminSite.get_urls is get_urls
    assert admin.site._registry == registered


@pytest.mark.one_database
def test_a_site_without_schedules_gets_no_pages_of_ours(shop: Project) -> None:
    site = admin.AdminSite(name="small")
    prepare(site)

    assert site._registry == {}


@override_settings(SCHEDSYNC_ADMIN="off")
def test_off_registers_nothing() -> None:
    site = admin.AdminSite(name="small")
    site.register(PeriodicTask, PeriodicTaskAdmin)
    prepare(site)

    assert type(site._registry[PeriodicTask]) is PeriodicTaskAdmin
    assert len(site._registry) == 1


@override_settings(SCHEDSYNC_ADMIN="readonli")
def test_a_wrong_mode_is_an_error_of_the_system_checks_and_protects() -> None:
    found = [each for each in checks.run_checks() if "SCHEDSYNC_ADMIN" in each.msg]

    assert [(each.level, each.id) for each in found] == [(checks.ERROR, "schedsync.SS174")]
    assert found[0].hint == "give `readonly`, `warn`, `off`"


def test_djangos_checks_have_nothing_against_what_is_registered() -> None:
    prepare(admin.site)

    assert [each for each in checks.run_checks(tags=[checks.Tags.admin]) if each.level >= checks.WARNING] == []


WITHOUT = """
import django, sys
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django_celery_beat", "schedsync"],
    DATABASES={}, USE_TZ=True, SECRET_KEY="x",
)
django.setup()
print("schedsync.admin" in sys.modules, "schedsync.usecases.run" in sys.modules)
"""
START = """
import django, sys
django.setup()
print(*(name in sys.modules for name in ("git", "schedsync.admin.schedules")))
"""


@pytest.mark.parametrize(("code", "printed"), [(WITHOUT, "False False"), (START, "False False")])
def test_a_start_of_django_imports_little(code: str, printed: str) -> None:
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    if code is WITHOUT:
        environment.pop("DJANGO_SETTINGS_MODULE")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)

    assert (done.stdout.strip(), done.stderr) == (printed, "")


@pytest.mark.one_database
def test_the_user_of_two_sites_stays_on_the_one(shop: Project) -> None:
    client = Client()
    answer = client.get(f"{TASKS}schedsync/pause/?ids=1")

    assert (answer.status_code, answer["Location"].startswith("/admin/login/")) == (302, True)
    assert filled(user(), change_url("mine"))["name"] == "mine"
