"""What surrounds a set in the running application: the settings, the audit record, who is at work. Reads only."""

from __future__ import annotations

from schedsync.core.origin import Binding
from schedsync.models import SyncRun
from schedsync.planning.build import Surroundings


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
