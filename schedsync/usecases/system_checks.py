"""Django's system checks: the findings of ``schedsync doctor``, with the same codes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from django.core import checks
from django.db import router

from schedsync.core.finding import Finding
from schedsync.database.use_tz import USE_TZ_OFF
from schedsync.models import ManagedSchedule
from schedsync.usecases.doctor import database_findings, settings_findings, unapplied

_LEVELS = {"error": checks.Error, "warning": checks.Warning, "info": checks.Info}


def _message(finding: Finding) -> checks.CheckMessage:
    return _LEVELS[finding.severity](finding.message, hint=finding.hint, id=f"schedsync.{finding.code}")


def check_settings(**_: Any) -> list[checks.CheckMessage]:
    """Return the findings on the settings, as Django's system checks."""
    return [_message(_of_the_host(finding)) for finding in settings_findings() if finding.severity != "info"]


def _of_the_host(finding: Finding) -> Finding:
    """Return a finding as `manage.py check` reports it.

    An error would stop `check` and `migrate` of a project that ran without time zones before schedsync came.
    """
    return replace(finding, severity="warning") if finding.code == USE_TZ_OFF.code else finding


def check_database(databases: Collection[str] | None = None, **_: Any) -> list[checks.CheckMessage]:
    """Return the findings on the tables, as Django's system checks; for ``check --database`` and before ``migrate``."""
    return [
        _message(finding)
        for using in databases or ()
        if router.allow_migrate_model(using, ManagedSchedule) and not unapplied(using)
        for finding in database_findings(using)
    ]
