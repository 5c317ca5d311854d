"""The metrics as a Django view, for users with a permission, and for clients with the token."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import connections, router, transaction
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_celery_beat.models import PeriodicTask

from schedsync.monitoring.settings import INSTALL, is_installed, metrics_token

#: The permission that a user needs; Django makes it, as "Can view beat".
PERMISSION = "schedsync.view_beat"
_SCHEME = "bearer "


@require_safe
@never_cache
def metrics(request: HttpRequest, using: str | None = None) -> HttpResponse:
    """Answer with all metrics, in the format that the client accepts; ``using`` is a database alias.

    Answers 403 without the token of ``SCHEDSYNC_METRICS_TOKEN`` and without a user who has the permission, and raises
    ImproperlyConfigured if prometheus-client is not installed.
    """
    if not is_installed():
        raise ImproperlyConfigured(f"the metrics need prometheus-client: {INSTALL}")
    if not (_has_token(request) or _has_permission(request)):
        text = f"The metrics need `Authorization: Bearer …` (SCHEDSYNC_METRICS_TOKEN) or the permission {PERMISSION}.\n"
        return HttpResponse(text, status=403, content_type="text/plain; charset=utf-8")
    from prometheus_client.exposition import choose_encoder

    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(_registry(using or router.db_for_write(PeriodicTask))), content_type=content_type)


# It answers 403 itself: a redirect to a login page would hide from Prometheus what is missing.
metrics.login_required = False  # type: ignore[attr-defined]
# A transaction around the request would fail where the database is away, which is a metric.
for _alias in connections:
    transaction.non_atomic_requests(_alias)(metrics)


@cache
def _registry(using: str) -> Any:
    from schedsync.monitoring.collector import DatabaseCollector, DatabaseReader, registry_of

    return registry_of(DatabaseCollector(DatabaseReader(using)))


def _has_token(request: HttpRequest) -> bool:
    """Compare in constant time: an empty setting allows nobody."""
    token = metrics_token()
    given = request.headers.get("Authorization", "")
    if not token or given[: len(_SCHEME)].lower() != _SCHEME:
        return False
    return constant_time_compare(given[len(_SCHEME) :].strip(), token)


def _has_permission(request: HttpRequest) -> bool:
    """Say whether the user of the session may see Beats; projects without users have none."""
    user = getattr(request, "user", None)
    return user is not None and bool(user.has_perm(PERMISSION))
