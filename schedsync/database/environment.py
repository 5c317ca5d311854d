"""The environment that a database is bound to: a copy of it, loaded elsewhere, must fire nothing there."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from schedsync.core.refusal import Refusal
from schedsync.database import audit
from schedsync.database.clock import now
from schedsync.database.lock import take
from schedsync.database.notify import bump
from schedsync.database.server import server_of
from schedsync.database.tables import has_table
from schedsync.errors import Refused
from schedsync.models import EnvironmentBinding

_ROW = 1
_NAME = "SCHEDSYNC_ENVIRONMENT"


def named_environment() -> str | None:
    """Return the environment that this process names: by the variable SCHEDSYNC_ENVIRONMENT, else by the setting.

    Raises ImproperlyConfigured where the setting is no text.
    """
    name = os.environ.get(_NAME) or getattr(settings, _NAME, None) or None
    if not (name is None or isinstance(name, str)):
        raise ImproperlyConfigured(f"{_NAME} is the name of an environment, not {name!r}")
    return name


def binding_of(using: str) -> EnvironmentBinding | None:
    """Return the environment that the database is bound to, or None."""
    return rows(using).first() if has_table(using, EnvironmentBinding) else None


def bound_environment(using: str) -> str | None:
    """Return the name of the environment that the database is bound to, or None."""
    binding = binding_of(using)
    return None if binding is None else binding.environment


def rows(using: str) -> Any:
    """Return the row of the binding, for databases that have the table."""
    return EnvironmentBinding.objects.using(using).defer("at").order_by("pk")


def refusals_of(using: str, environment: str | None) -> tuple[Refusal, ...]:
    """Return the refusal of a write that names another environment than the database's, or none."""
    binding = binding_of(using)
    if binding is None or binding.environment == environment:
        return ()
    named = f"names `{environment}`" if environment else "names none"
    message = f"this database belongs to the environment `{binding.environment}`, and this call {named}"
    hint = f"give `-e {binding.environment}`; if it is a copy: `schedsync ledger bind -e {environment or 'NAME'}`"
    return (Refusal("wrong_environment", message, hint),)


def require_environment(using: str, environment: str | None) -> None:
    """Raise Refused if the database belongs to another environment; call it behind the apply lock, before writing."""
    if refusals := refusals_of(using, environment):
        raise Refused(refusals)


def require_no_other(using: str, environment: str | None) -> None:
    """Raise Refused if a call, or this process, names another environment than the database's.

    One that names none is let through: somebody who stops a schedule at night must not be stopped.
    """
    if named := environment or named_environment():
        require_environment(using, named)


def bind(using: str, environment: str | None, who: str, *, first: bool = False) -> None:
    """Bind the database to an environment, or to none, in the caller's transaction, and record it.

    With ``first``, Refused is raised where it is bound to another one by now.
    """
    at = now()
    take(using, who, at)
    if first:
        require_environment(using, environment)
    before = bound_environment(using)
    if environment is None:
        rows(using).delete()
    else:
        server = server_of(using)
        values = {"environment": environment, "who": who, "at": at, "server_id": server.id, "host": server.host}
        EnvironmentBinding.objects.using(using).update_or_create(pk=_ROW, defaults=values)
    audit.record_binding(using, before, environment, who, at)
    bump(using, at)
