"""Each address of the admin and each form, for users without each permission; and that a look changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.test import Client
from django_celery_beat.admin import PeriodicTaskAdmin
from django_celery_beat.models import PeriodicTask

from schedsync.models import ApplyLock, BreakGlass, ManagedSchedule, Pause, SyncRun
from tests.admin.made import OURS, STOCK, TASKS, change_url, operation_url, row, said, stock_form, user
from tests.admin.visitors import PAGE
from tests.conftest import Project

pytestmark = pytest.mark.one_database

SEE, ADD, CHANGE, DELETE = STOCK
PAUSE, RUN, GLASS = OURS
LOOK, LEDGER = "schedsync.view_managedschedule", "schedsync.view_syncrun"
EVERY = (*STOCK, *OURS, LOOK, LEDGER)
#: Each needs one of the alternatives as a whole; who may change rows may see them too.
ROWS = ({SEE}, {CHANGE})
NEVER: tuple[set[str], ...] = ()


def both(*more: str) -> tuple[set[str], ...]:
    return tuple({*each, *more} for each in ROWS)


def looks() -> dict[str, tuple[set[str], ...]]:
    """Return each address with the permissions that show it."""
    one, mine = row("one").pk, row("mine").pk
    run, entry = SyncRun.objects.all()[0].pk, ManagedSchedule.objects.get(name="one").pk
    own = "/admin/schedsync"
    return {
        TASKS: ROWS,
        f"{TASKS}?git=managed": ROWS,
        f"{TASKS}{one}/change/": ROWS,
        f"{TASKS}{mine}/change/?_popup=1&_to_field=id": ROWS,
        f"{TASKS}{one}/history/": ROWS,
        f"{TASKS}{mine}/delete/": ({DELETE},),
        f"{TASKS}add/": ({ADD},),
        operation_url("pause", "one"): both(PAUSE),
        operation_url("resume", "one"): both(PAUSE),
        operation_url("run", "one"): both(RUN),
        operation_url("break-glass", "one"): ({CHANGE, GLASS},),
        PAGE: ({LOOK},),
        f"{PAGE}schedule/{one}/": ({LOOK},),
        f"{PAGE}schedule/?name=gone": NEVER,
        f"{own}/managedschedule/": ({LOOK},),
        f"{own}/managedschedule/{entry}/change/": ({LOOK},),
        f"{own}/managedschedule/{entry}/history/": ({LOOK},),
        f"{own}/managedschedule/{entry}/delete/": NEVER,
        f"{own}/managedschedule/add/": NEVER,
        f"{own}/syncrun/{run}/change/": ({LEDGER},),
    }


def asked(needs: tuple[set[str], ...]) -> set[frozenset[str]]:
    """Return whose users are asked: with nothing, with just enough, with all but one; with all where nobody may."""
    every = frozenset(EVERY)
    lacking = [every - lost(each) for each in needs[0]] if needs else [every]
    return {frozenset(), *map(frozenset, needs), *lacking}


def lost(missing: str) -> set[str]:
    """Return what a user lacks without one permission: who may change rows may see them too."""
    return {SEE, CHANGE} if missing == SEE else {missing}


@cache
def browser(permissions: frozenset[str]) -> Client:
    return user(f"u{len(permissions)}{hash(permissions)}", sorted(permissions))


@pytest.fixture(autouse=True)
def nobody_is_logged_in() -> None:
    browser.cache_clear()


def test_each_address_needs_its_permissions_and_a_look_changes_nothing(shop: Project) -> None:
    asks = {address: (needs, asked(needs)) for address, needs in looks().items()}
    before = tables()
    wrong = [
        (address, sorted(held), answer)
        for address, (needs, holders) in asks.items()
        for held in holders
        if ((answer := browser(held).get(address).status_code) == 200) is not any(each <= held for each in needs)
    ]
    root = browser(frozenset(EVERY))
    failed = [address for address in asks if root.options(address).status_code >= 500]

    assert wrong == []
    assert failed == []
    assert tables() == before


def tables() -> dict[str, list[Any]]:
    """Return the rows of all tables that the admin could change."""
    ours = [each for each in apps.get_app_config("schedsync").get_models() if each is not ApplyLock]
    models: list[Any] = [LogEntry, *ours]
    models += apps.get_app_config("django_celery_beat").get_models()
    return {model.__name__: sorted(model.objects.values_list(), key=str) for model in models}


def posts() -> dict[str, tuple[str, dict[str, Any], tuple[set[str], ...]]]:
    """Return what can be sent: its address, its values, and the permissions that let it have an effect."""
    one, mine = row("one").pk, row("mine").pk
    entry = ManagedSchedule.objects.get(name="one").pk
    paused, reason = {"minutes": "60", "reason": "r", "hours": ""}, {"reason": "r"}
    page, own = f"{PAGE}schedule/{one}/", f"/admin/schedsync/managedschedule/{entry}"
    forged = stock_form("one", task="evil")

    def act(name: str, *ids: int) -> dict[str, Any]:
        return {"action": name, "_selected_action": ids, "post": "yes"}

    return {
        "save a row of nobody": (change_url("mine"), stock_form("mine", queue="q"), ({CHANGE},)),
        "save a managed row": (change_url("one"), forged, NEVER),
        "save it in a popup": (f"{change_url('one')}?_popup=1", {**forged, "_popup": "1"}, NEVER),
        "save it by a field": (f"{change_url('one')}?_to_field=id", {**forged, "_to_field": "id"}, NEVER),
        "save it under its name as new": (change_url("one"), {**forged, "_saveasnew": "1"}, NEVER),
        "delete a managed row": (f"{TASKS}{one}/delete/", {"post": "yes"}, NEVER),
        "delete it by a field": (f"{TASKS}{one}/delete/?_to_field=id", {"post": "yes", "_to_field": "id"}, NEVER),
        "delete selected": (TASKS, act("delete_selected", one), NEVER),
        "disable selected": (TASKS, act("disable_tasks", one), NEVER),
        "toggle selected": (TASKS, act("toggle_tasks", one), NEVER),
        "an action that is none": (TASKS, act("save_model", one), NEVER),
        "save a list": (TASKS, {"_save": "1", "form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1"}, NEVER),
        "pause": (operation_url("pause", "one"), {"ids": one, **paused}, both(PAUSE)),
        "run": (operation_url("run", "one"), {"ids": one}, both(RUN)),
        "break glass": (operation_url("break-glass", "one"), {"ids": one, **reason}, ({CHANGE, GLASS},)),
        "break the glass of a row of nobody": (operation_url("break-glass", "mine"), {"ids": mine, **reason}, NEVER),
        "pause on its page": (page, {"action": "pause", **paused}, ({LOOK, PAUSE},)),
        "run on its page": (page, {"action": "run"}, ({LOOK, RUN},)),
        "pause everything": (PAGE, {"action": "pause_all", **paused}, ({LOOK, PAUSE},)),
        "resume everything": (PAGE, {"action": "resume_all"}, NEVER),
        "another form on a page": (page, {"action": "pause_all", **paused}, NEVER),
        "edit the ledger": (f"{own}/change/", {"name": "x", "set": "x"}, NEVER),
        "delete of the ledger": (f"{own}/delete/", {"post": "yes"}, NEVER),
        "delete selected of the ledger": ("/admin/schedsync/managedschedule/", act("delete_selected", entry), NEVER),
    }


def test_without_one_of_its_permissions_a_form_does_nothing(shop: Project, broker: Any) -> None:
    # It makes the row that it locks.
    browser(frozenset(EVERY)).post(PAGE, {"action": "resume_all"})
    before, did = tables(), []
    for what, (address, values, needs) in posts().items():
        for held in asked(needs):
            if any(each <= held for each in needs):
                continue
            answer = browser(held).post(address, values)
            if answer.status_code >= 500 or tables() != before:
                did.append((what, sorted(held), answer.status_code, said(answer)))
                before = tables()

    assert did == []


def test_with_its_permissions_alone_a_form_does_what_it_says(shop: Project, broker: Any) -> None:
    idle = []
    for what, (address, values, needs) in posts().items():
        for alone in needs[:1]:
            before = tables()
            answer = browser(frozenset(alone)).post(address, values)
            if tables() == before or answer.status_code != 302:
                idle.append((what, answer.status_code, said(answer)))
            Pause.objects.all().delete()

    assert idle == []


def test_the_actions_of_django_celery_beat_ask_nobody_about_rows_of_nobody(shop: Project) -> None:
    """As without schedsync: it is their own matter, and the guide says so."""
    client = user("kim", [SEE])
    ids = [row("one").pk, row("mine").pk]
    answer = client.post(TASKS, {"action": "disable_tasks", "_selected_action": ids})

    assert dict(PeriodicTask.objects.values_list("name", "enabled")) == {"one": True, "two": True, "mine": False}
    assert "You need the permission schedsync.pause_schedules" in said(answer)[-1]


class ByRow(PeriodicTaskAdmin):  # type: ignore[misc]
    """A project's class that decides by the row, as backends for permissions of objects do."""

    def has_view_permission(self, request: Any, obj: Any = None) -> bool:
        return super().has_view_permission(request) and (obj is None or obj.name != "two")

    def has_change_permission(self, request: Any, obj: Any = None) -> bool:
        return super().has_change_permission(request) and (obj is None or obj.name == "one")


@pytest.mark.parametrize("operation", ["pause", "resume", "run", "break-glass"])
def test_who_may_not_see_one_row_can_do_nothing_with_it(
    shop: Project, registered: Callable[..., None], broker: Any, operation: str
) -> None:
    registered(ByRow)
    client, before = user(), tables()
    values = {"ids": f"{row('two').pk}", "reason": "r", "hours": ""}
    answers = [client.get(operation_url(operation, "two")), client.post(operation_url(operation, "two"), values)]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert tables() == before


def test_of_a_selection_only_the_rows_that_a_user_may_see_are_paused(
    shop: Project, registered: Callable[..., None]
) -> None:
    registered(ByRow)
    ids = f"{row('one').pk},{row('two').pk}"
    user().post(f"{TASKS}schedsync/pause/", {"ids": ids, "reason": "r", "hours": ""})

    assert list(Pause.objects.values_list("name", flat=True)) == ["one"]
    assert BreakGlass.objects.count() == 0


def test_a_user_of_no_staff_is_asked_to_log_in(shop: Project) -> None:
    client = Client()
    client.force_login(get_user_model().objects.create_user("customer"))
    answers = {client.get(address).status_code for address in looks()}

    assert answers == {302}
