"""Beat's tables in one database, the admin's in another: each is read from the database that Django's routers give."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import connections
from django_celery_beat.models import PeriodicTask

from tests import router
from tests.conftest import Project, empty

ADMIN, BEAT = "default", "postgresql"
ONE = "  one: {task: t, every: 1m}\n"
#: Each verb that uses the database, without `--database`.
VERBS = {
    "plan": ("plan", "schedules"),
    "drift": ("drift", "schedules"),
    "apply": ("apply", "schedules", "--yes", "--settle", "0"),
    "status": ("status",),
    "doctor": ("doctor",),
}


@pytest.fixture
def shop(files: Project, test_databases: None, django_db_blocker: Any) -> Iterator[Project]:
    """A project whose router keeps Beat's tables on PostgreSQL, where the admin's log does not exist."""
    if BEAT not in settings.DATABASES:
        pytest.skip(f"no {BEAT} on this machine")
    router.current = BEAT
    router.elsewhere.update(dict.fromkeys(("admin", "auth", "contenttypes", "sessions"), ADMIN))
    with django_db_blocker.unblock():
        _rename("django_admin_log", "hidden_admin_log")
        try:
            files.schedules(ONE)
            assert files.command(*VERBS["apply"]).code == 0
            yield files
        finally:
            _rename("hidden_admin_log", "django_admin_log")
            router.elsewhere.clear()
            empty(BEAT)
            empty(ADMIN)
            router.current = "default"


def _rename(old: str, new: str) -> None:
    with connections[BEAT].cursor() as cursor:
        cursor.execute(f"ALTER TABLE {old} RENAME TO {new}")


def disable_in_the_admin(name: str, user: str) -> None:
    row = PeriodicTask.objects.get(name=name)
    PeriodicTask.objects.filter(pk=row.pk).update(enabled=False)
    sam = get_user_model().objects.create_user(user)
    kind = ContentType.objects.get(app_label="django_celery_beat", model="periodictask")
    LogEntry.objects.create(
        user=sam, content_type=kind, object_id=str(row.pk), object_repr=name, action_flag=CHANGE, change_message=""
    )


def test_verbs_use_the_database_that_the_router_gives_for_beat(shop: Project) -> None:
    rows = {alias: list(PeriodicTask.objects.using(alias).values_list("name", flat=True)) for alias in (ADMIN, BEAT)}

    assert rows == {ADMIN: [], BEAT: ["one"]}
    assert {name: shop.command(*words).code for name, words in VERBS.items() if name != "doctor"} == {
        "plan": 0, "drift": 0, "apply": 0, "status": 0,
    }  # fmt: skip
    assert "+1 create" in shop.command("plan", "schedules", "--database", ADMIN).out
    assert shop.command("pause", "one", "--reason", "r", "--settle", "0").code == 0
    assert shop.command("resume", "one").code == 0


def test_who_disabled_a_row_is_read_where_the_admin_is(shop: Project) -> None:
    disable_in_the_admin("one", "sam")

    assert shop.command(*VERBS["drift"]).code == 2
    for verb in ("plan", "drift"):
        assert "one: disabled by sam since" in shop.command(*VERBS[verb]).out
    assert shop.command(*VERBS["apply"]).code == 0


def _no_table(_: pytest.MonkeyPatch) -> None:
    router.elsewhere["admin"] = BEAT


def _no_server(patch: pytest.MonkeyPatch) -> None:
    alias = "gone"
    gone = {**connections.settings[BEAT], "HOST": "127.0.0.1", "PORT": "1", "OPTIONS": {"connect_timeout": 1}}
    patch.setitem(connections.settings, alias, gone)
    router.elsewhere["admin"] = alias


def _no_such_alias(_: pytest.MonkeyPatch) -> None:
    router.elsewhere["admin"] = "nowhere"


@pytest.mark.parametrize("break_log", [_no_table, _no_server, _no_such_alias])
def test_a_log_that_cannot_be_read_stops_nothing(
    shop: Project, break_log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    disable_in_the_admin("one", "sam")
    break_log(monkeypatch)
    done = {verb: shop.command(*VERBS[verb]) for verb in ("plan", "drift", "apply")}

    assert {verb: one.code for verb, one in done.items()} == {"plan": 0, "drift": 2, "apply": 0}
    assert "one: disabled since" in done["drift"].out
