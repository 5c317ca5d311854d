"""What surrounds a set in the running application: the settings, the audit record, who is at work. Reads only."""

from __future__ import annotations

import getpass
import os
import socket

from schedsync.core.safety import Binding
from schedsync.models import SyncRun
from schedsync.planning import Surroundings


def who() -> str:
    """Return who is at work: the person that CI names, else the account and the host."""
    named = os.environ.get("GITHUB_ACTOR") or os.environ.get("GITLAB_USER_LOGIN")
    try:
        account = getpass.getuser()
    except (OSError, KeyError):
        account = str(os.getuid())
    return (named or f"{account}@{socket.gethostname()}")[:200]


def surroundings_of(using: str, set_name: str) -> Surroundings:
    """Return what stands beside the rows of a set."""
    return Surroundings(last_binding(using, set_name), settings_names())


def last_binding(using: str, set_name: str) -> Binding | None:
    """Return where the set was last applied from, by the audit record."""
    runs = SyncRun.objects.using(using).filter(set=set_name, verb="apply").order_by("-at")
    last = runs.values_list("environment", "repository", "path", "commit").first()
    return Binding(*last) if last else None


def settings_names() -> frozenset[str]:
    """Return the names in ``CELERY_BEAT_SCHEDULE``, which Beat writes back into the table at every start."""
    from celery import current_app
    from django.conf import settings

    names = set(getattr(settings, "CELERY_BEAT_SCHEDULE", None) or {})
    if not current_app.loader or type(current_app.loader).__name__ != "Loader":
        names |= set(current_app.conf.beat_schedule or {})
    return frozenset(names)
