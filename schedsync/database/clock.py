"""The database's own clock: what several processes must agree on is read from nowhere else."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DateTimeField, Func
from django.db.models.sql.compiler import SQLCompiler


class DatabaseNow(Func):
    """Now, by the database's clock, in UTC; unlike Django's ``Now`` it moves within a transaction."""

    template = "%(function)s"
    output_field = DateTimeField()
    function = "CLOCK_TIMESTAMP()"

    def as_mysql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any) -> Any:
        """Say it in UTC, which Django stores: CURRENT_TIMESTAMP follows the session's zone, and its summer time."""
        return self.as_sql(compiler, connection, function="UTC_TIMESTAMP(6)", **extra)

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any) -> Any:
        """Say it as Django writes a datetime there."""
        return self.as_sql(
            compiler, connection, template="STRFTIME('%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f', 'NOW')", **extra
        )


def now() -> datetime:
    """Read the clock: once for each transaction, and always Python's."""
    return datetime.now(timezone.utc)
