"""Two clocks: the database's, for times that several processes compare, and this process's."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DateTimeField, Func
from django.db.models.sql.compiler import SQLCompiler


class DatabaseNow(Func):
    """The time now by the database's clock, in UTC; unlike Django's ``Now`` it advances within a transaction."""

    template = "%(function)s"
    output_field = DateTimeField()
    function = "CLOCK_TIMESTAMP()"

    def as_mysql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any) -> Any:
        """Ask for UTC, as Django stores it: CURRENT_TIMESTAMP depends on the session's zone and its daylight saving."""
        return self.as_sql(compiler, connection, function="UTC_TIMESTAMP(6)", **extra)

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any) -> Any:
        """Format it as Django stores a datetime in SQLite."""
        return self.as_sql(
            compiler, connection, template="STRFTIME('%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f', 'NOW')", **extra
        )


def database_time(using: str) -> datetime:
    """Return the time by the database's clock, in UTC."""
    connection = connections[using]
    statement = _TIME[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(statement)
        value: Any = cursor.fetchone()[0]
    at: datetime = datetime.fromisoformat(value) if isinstance(value, str) else value
    return at if at.tzinfo else at.replace(tzinfo=timezone.utc)


_TIME = {
    "postgresql": "SELECT CLOCK_TIMESTAMP()",
    "mysql": "SELECT UTC_TIMESTAMP(6)",
    "sqlite": "SELECT STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')",
}


def now() -> datetime:
    """Return the time by Python's clock, in UTC; called once per transaction, so that all its rows agree."""
    return datetime.now(timezone.utc)
