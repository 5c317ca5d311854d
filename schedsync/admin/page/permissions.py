"""Which permission a part of the page needs."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied

VIEW = "schedsync.view_managedschedule"
PAUSE = "schedsync.pause_schedules"
RUN = "schedsync.run_schedules"


def require(user: Any, permission: str) -> None:
    """Raise PermissionDenied, which Django answers with 403, unless the user has a permission."""
    if not user.has_perm(permission):
        raise PermissionDenied(f"this needs the permission {permission}")
