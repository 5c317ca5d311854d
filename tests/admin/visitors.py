"""Users of the admin with and without permissions, and the addresses of the pages."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.test import Client

from schedsync.models import ManagedSchedule

PAGE = "/admin/schedsync/"
VIEW, PAUSE, RUN = "view_managedschedule", "pause_schedules", "run_schedules"
EVERYTHING = (VIEW, PAUSE, RUN)


def visitor(using: str, *permissions: str, name: str = "ann", csrf: bool = False) -> Client:
    """Return a browser in which a member of the staff with these permissions is logged in."""
    user = get_user_model().objects.db_manager(using).create_user(name, is_staff=True)
    for codename in permissions:
        user.user_permissions.add(permission(using, codename))
    client = Client(enforce_csrf_checks=csrf)
    client.force_login(user)
    return client


def permission(using: str, codename: str) -> Permission:
    kind = ContentType.objects.db_manager(using).get_for_model(ManagedSchedule)
    made, _ = Permission.objects.using(using).get_or_create(codename=codename, content_type=kind)
    return made


def named(name: str) -> str:
    """Return the address of the schedule with a name."""
    return f"{PAGE}schedule/?name={quote(name, safe='')}"


def told(answer: Any) -> list[str]:
    """Return the messages that a page shows."""
    return [str(message) for message in answer.context["messages"]]
