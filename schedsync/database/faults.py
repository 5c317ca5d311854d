"""Says what a database error means, by the drivers' error codes."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from django.db import (
    DEFAULT_DB_ALIAS,
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    connections,
    router,
)
from django_celery_beat.models import PeriodicTask

from schedsync.database.rights import lacking_rights
from schedsync.errors import Failed, Locked, SchedsyncError, Unavailable
from schedsync.models import ApplyLock, Beat, Claim, Lease, ManagedSchedule, Pause, SyncRun


class Fault(enum.Enum):
    """A kind of database error."""

    LOCKED = "locked"
    RETRY = "retry"
    DUPLICATE = "duplicate"
    READ_ONLY = "read only"
    RIGHTS = "rights"
    GONE = "gone"
    OTHER = "other"


_CODE = re.compile(r"[A-Z0-9_]{1,60}\Z")
_SQLSTATES = {
    "55P03": Fault.LOCKED,
    "40001": Fault.RETRY,
    "40P01": Fault.RETRY,
    "25006": Fault.READ_ONLY,
    "42501": Fault.RIGHTS,
}


# https://mariadb.com/kb/en/mariadb-error-code-reference/
_MYSQL = {
    1205: Fault.LOCKED, 3572: Fault.LOCKED,
    1213: Fault.RETRY, 1020: Fault.RETRY,
    1290: Fault.READ_ONLY, 1792: Fault.READ_ONLY, 1836: Fault.READ_ONLY,
    1044: Fault.RIGHTS, 1045: Fault.RIGHTS, 1142: Fault.RIGHTS, 1143: Fault.RIGHTS,
    1927: Fault.GONE, 2002: Fault.GONE, 2003: Fault.GONE, 2006: Fault.GONE, 2013: Fault.GONE, 2055: Fault.GONE,
}  # fmt: skip


#: Errors that quote names only: of a missing table, and of a missing column.
_MYSQL_NAMES = frozenset({1146, 1054})


# https://www.sqlite.org/rescode.html, the primary result codes.
_SQLITE = {5: Fault.LOCKED, 6: Fault.LOCKED, 8: Fault.READ_ONLY, 10: Fault.GONE, 14: Fault.GONE}


def fault_of(error: Exception, using: str) -> Fault:
    """Return the kind of a database error, by its driver's code and never by its text."""
    if isinstance(error, IntegrityError):
        return Fault.DUPLICATE
    cause = error.__cause__
    of_driver = _FAULT_BY_VENDOR.get(connections[using].vendor)
    if of_driver is not None and cause is not None and (fault := of_driver(cause)) is not None:
        return fault
    return Fault.GONE if isinstance(error, InterfaceError) or _is_dead(using) else Fault.OTHER


def is_row_locked(error: Exception, using: str) -> bool:
    """Say whether an error means that another transaction has locked a row; never on SQLite, which locks the file."""
    return fault_of(error, using) is Fault.LOCKED and connections[using].features.has_select_for_update


def _by_sqlstate(cause: BaseException) -> Fault | None:
    """Read PostgreSQL's code from psycopg 3 or psycopg2; an error without one comes from libpq and the connection."""
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    if not isinstance(state, str):
        return Fault.GONE if "OperationalError" in [kind.__name__ for kind in type(cause).__mro__] else None
    gone = state.startswith("08") or state in {"57P01", "57P02", "57P03", "57P05"}
    return Fault.GONE if gone else _SQLSTATES.get(state, Fault.OTHER)


def _by_number(cause: BaseException) -> Fault | None:
    """Read MariaDB's code; PyMySQL uses 0 for a connection that is closed."""
    number = cause.args[0] if cause.args else None
    if not isinstance(number, int):
        return None
    return Fault.GONE if number == 0 else _MYSQL.get(number, Fault.OTHER)


def _by_result_code(cause: BaseException) -> Fault | None:
    """Read SQLite's code, which Python provides since 3.11."""
    number = getattr(cause, "sqlite_errorcode", None)
    return _SQLITE.get(number & 0xFF, Fault.OTHER) if isinstance(number, int) else None


_FAULT_BY_VENDOR: Mapping[str, Callable[[BaseException], Fault | None]] = {
    "postgresql": _by_sqlstate,
    "mysql": _by_number,
    "sqlite": _by_result_code,
}


def _is_dead(using: str) -> bool:
    connection = connections[using]
    return connection.connection is None or not connection.is_usable()


@contextmanager
def database_errors(using: str) -> Iterator[None]:
    """Turn database errors into a SchedsyncError that says what is wrong and how to go on."""
    try:
        yield
    except SchedsyncError:
        raise
    except (DatabaseError, InterfaceError) as error:
        raise explained(error, using) from error


def explained(error: Exception, using: str) -> SchedsyncError:
    """Return the SchedsyncError to show the user for a database error."""
    fault = fault_of(error, using)
    database = f"database `{using}`"
    reason = reason_of(error, using)
    if fault is Fault.GONE:
        return Unavailable(
            f"{database} cannot be reached: {reason}", hint="check `DATABASES`, and that the server runs"
        )
    if fault is Fault.READ_ONLY:
        return Unavailable(f"{database} is read-only: {reason}", hint="use the primary server, not a replica")
    if fault is Fault.RIGHTS:
        hint = "`schedsync doctor` names each missing right"
        lacking = lacking_rights(using)
        return Unavailable(
            f"rights are missing in {database}: {reason}", hint=f"{lacking}; {hint}" if lacking else hint
        )
    if fault is Fault.LOCKED:
        return Locked()
    if missing := missing_tables(using):
        return Unavailable(f"{database} is not migrated: no table {', '.join(missing)}", hint=migrate_hint(using))
    if "schedsync_" in reason and "column" in reason.lower():
        # Each database names table and column, in words of its own.
        return Unavailable(f"{database} is not migrated: {reason}", hint=migrate_hint(using))
    if isinstance(error, IntegrityError):
        return Failed(f"{database} refused a row, nothing was written: {reason}", hint="plan again")
    return Unavailable(f"{database}: {reason}", hint="see `schedsync doctor`")


def migrate_hint(using: str) -> str:
    """Say how to make schedsync's tables in a database; a router that keeps them out has to be changed first."""
    command = (
        "`python manage.py migrate`" if using == DEFAULT_DB_ALIAS else f"`python manage.py migrate --database {using}`"
    )
    if router.allow_migrate_model(using, ManagedSchedule):
        return command
    barred = "DATABASE_ROUTERS allows no table of `schedsync` here"
    return f"{barred}; let them treat it as `django_celery_beat`, then {command}"


def reason_of(error: Exception, using: str) -> str:
    """Return a driver's message in one line, without values of rows: they can hold secrets.

    If a table refuses a value, the driver's message quotes that value. Then only the error's code and the constraint
    are returned.
    """
    cause = error.__cause__
    kind = type(cause or error).__name__
    if isinstance(error, (IntegrityError, DataError)):
        constraint = getattr(getattr(cause, "diag", None), "constraint_name", None)
        named = f", constraint `{constraint}`" if constraint else ""
        return f"{kind}{_code_text(cause)}{named}"
    lines = str(error).strip().splitlines()
    if not lines:
        return kind
    number = cause.args[0] if cause is not None and cause.args else None
    is_known = number in _MYSQL_NAMES or fault_of(error, using) is not Fault.OTHER
    if connections[using].vendor == "mysql" and not is_known:
        # MariaDB quotes names and values alike.
        return f"{kind}{_code_text(cause)}"
    return lines[0]


def _code_text(cause: BaseException | None) -> str:
    """Return a driver's code for an error, as ` 23505`; empty without any."""
    number = cause.args[0] if cause is not None and cause.args else None
    name = getattr(cause, "sqlite_errorname", None)
    code = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None) or name or number
    return f" {code}" if isinstance(code, int) or (isinstance(code, str) and _CODE.match(code)) else ""


def missing_tables(using: str) -> list[str]:
    """Return the names of our missing tables; empty where the database does not answer."""
    try:
        connection = connections[using]
        if connection.in_atomic_block:
            connection.set_rollback(False)
        return ask_for_missing_tables(using)
    except (DatabaseError, InterfaceError):
        return []


def ask_for_missing_tables(using: str) -> list[str]:
    """Return the names of the tables that are missing, ours and those of django-celery-beat that we need.

    Raises a database error where the database does not answer.
    """
    models = (PeriodicTask, ManagedSchedule, Pause, SyncRun, ApplyLock, Lease, Claim, Beat)
    present = set(connections[using].introspection.table_names())
    return [model._meta.db_table for model in models if model._meta.db_table not in present]
