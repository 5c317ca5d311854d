"""Binds a database to an environment: at the first apply that every live Beat agrees with, or on request."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, InterfaceError, transaction
from django_celery_beat.models import PeriodicTask

from schedsync.core.finding import Finding
from schedsync.core.names import first_names
from schedsync.database.actor import who
from schedsync.database.beats import live_beats
from schedsync.database.environment import bind, binding_of, named_environment
from schedsync.database.faults import database_errors, migrate_hint
from schedsync.database.lock_wait import wait_for_lock
from schedsync.database.notify import publish
from schedsync.database.server import Server, changes, server_of
from schedsync.database.tables import has_table
from schedsync.database.transaction import WaitOptions
from schedsync.errors import Locked, Refused, Unavailable
from schedsync.models import BeatReport, EnvironmentBinding

#: How many Beats a line names.
_NAMED = 5


@dataclass(frozen=True, slots=True)
class BindingView:
    """The environment that a database is bound to, or None, and the Beats that run on it.

    ``beats`` are the live Beats with the environment that each names, ``enabled`` counts the enabled rows.
    ``has_moved`` says that the database was bound on another server.
    """

    environment: str | None
    beats: dict[str, str | None]
    enabled: int
    has_moved: bool = False

    def strangers(self, environment: str | None) -> list[str]:
        """Return the live Beats that name another environment, or none, each with what it names."""
        others = {name: named for name, named in self.beats.items() if named != environment}
        return [f"{name} (names {f'`{named}`' if named else 'none'})" for name, named in others.items()]


def view(using: str) -> BindingView:
    """Read what the database is bound to; raises Unavailable where the table is missing."""
    with database_errors(using):
        _require_table(using)
        binding = binding_of(using)
        enabled = PeriodicTask.objects.using(using).filter(enabled=True).count()
        moved = binding is not None and bool(changes(Server(binding.server_id, binding.host), server_of(using)))
        return BindingView(binding.environment if binding else None, beats_by_environment(using), enabled, moved)


def _require_table(using: str) -> None:
    if not has_table(using, EnvironmentBinding):
        raise Unavailable("the table of the binding is missing", hint=migrate_hint(using))


def beats_by_environment(using: str) -> dict[str, str | None]:
    """Return the names of the live Beats, each with the environment that it names, or None."""
    beats = live_beats(using)
    named = _named(using, [beat.pk for beat in beats])
    return {str(beat): named.get(beat.pk) for beat in beats}


def _named(using: str, beats: Collection[Any]) -> dict[Any, str]:
    if not beats or not has_table(using, BeatReport):
        return {}
    reports = BeatReport.objects.using(using).filter(pk__in=beats).exclude(environment=None)
    return dict(reports.values_list("pk", "environment"))


def environment_findings(using: str) -> Iterator[Finding]:
    """Check that this process names the environment of the database, and that the server is the same as then."""
    binding = binding_of(using)
    if binding is None:
        return
    if binding.environment != named_environment():
        named = f"`{named_environment()}`" if named_environment() else "none"
        message = f"the database belongs to the environment `{binding.environment}`, and this process names {named}"
        hint = "a Beat like this sends nothing: set SCHEDSYNC_ENVIRONMENT; if it is a copy: `schedsync ledger bind`"
        yield Finding("SS340", message, hint=hint, severity="warning")
    if moved := changes(Server(binding.server_id, binding.host), server_of(using)):
        message = f"the database was bound to `{binding.environment}` on another server: {', '.join(moved)}"
        hint = "if it is a copy: `schedsync ledger bind -e NAME`; if it moved: `ledger bind` with the same name"
        yield Finding("SS341", message, hint=hint, severity="warning")


def bind_database(using: str, environment: str | None, wait: WaitOptions) -> None:
    """Bind the database to an environment, or to none.

    Raises Locked where another apply holds the lock for too long, Unavailable where the table is missing.
    """
    actor = who()

    def write() -> None:
        _require_table(using)
        with transaction.atomic(using=using, durable=True):
            bind(using, environment, actor)

    with database_errors(using):
        wait_for_lock(write, wait.lock, wait.sleep)
    publish()


def bind_at_apply(using: str, environment: str | None, note: Callable[[str], None]) -> None:
    """Bind a database that is not bound to the environment of an apply, if every live Beat names that too.

    ``note`` gets a message that says which Beats do not. Without a live Beat of schedsync's own nothing is bound, and
    nothing said: stock Beat knows no environment, and a Beat that starts later may not name one yet.
    """
    if environment is None:
        return
    actor = who()
    try:
        if not has_table(using, EnvironmentBinding) or binding_of(using) is not None:
            return
        beats = beats_by_environment(using)
        if not beats:
            return
        if others := [name for name, named in beats.items() if named != environment]:
            names = first_names(others, _NAMED)
            note(
                f"this database is not bound to `{environment}` yet: set SCHEDSYNC_ENVIRONMENT = {environment} "
                f"for Beat {names}"
            )
            return
        with transaction.atomic(using=using, durable=True):
            bind(using, environment, actor, first=True)
    except Refused:
        # Another apply was faster.
        return
    except (DatabaseError, InterfaceError, Locked) as error:
        # The apply itself is done; the next one tries again.
        note(f"this database is not bound to `{environment}` yet: {error}")
        return
    publish()
    note(f"this database is bound to `{environment}` from now on: a Beat or an apply that names another stands still")
