"""People who use the admin, and what they see and send there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.test import Client
from django_celery_beat.models import PeriodicTask

from tests import router

TASKS = "/admin/django_celery_beat/periodictask/"
#: What a staff user may do with Django's own permissions.
STOCK = tuple(f"django_celery_beat.{may}_periodictask" for may in ("view", "add", "change", "delete"))
OURS = ("schedsync.pause_schedules", "schedsync.run_schedules", "schedsync.break_glass")


def user(name: str = "sam", permissions: Sequence[str] = (*STOCK, *OURS)) -> Client:
    """Return the browser of a staff user with some permissions, with CSRF checks off."""
    made = get_user_model().objects.create_user(name, f"{name}@example.org", "x", is_staff=True)
    for permission in permissions:
        app, codename = permission.split(".")
        made.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    client = Client()
    client.force_login(made)
    return client


def row(name: str) -> PeriodicTask:
    found: PeriodicTask = PeriodicTask.objects.using(router.current).get(name=name)
    return found


def change_url(name: str) -> str:
    return f"{TASKS}{row(name).pk}/change/"


def filled(client: Client, url: str, **values: str) -> dict[str, str]:
    """Return what the form at an address sends when nothing is changed but some values."""
    form = client.get(url).context["adminform"].form
    given = {key: value for key, value in form.initial.items() if value is not None and value is not False}
    return {**given, "regtask": "", **values}


def stock_form(name: str, **values: str) -> dict[str, Any]:
    """Return what the form of stock django-celery-beat sends, as a script can forge it."""
    of = row(name)
    fields = {
        "name": of.name, "task": of.task, "regtask": "", "enabled": "on", "interval": of.interval_id or "",
        "crontab": of.crontab_id or "", "args": of.args, "kwargs": of.kwargs, "headers": of.headers,
    }  # fmt: skip
    return {**fields, **values}


def said(answer: Any) -> list[str]:
    """Return the messages that a request left for its user."""
    return [str(message) for message in get_messages(answer.wsgi_request)]


def operation_url(operation: str, *names: str) -> str:
    return f"{TASKS}schedsync/{operation}/?ids={','.join(str(row(name).pk) for name in names)}"
