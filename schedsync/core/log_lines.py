"""Log records as JSON, one object a line: for the command line, and for Beat in a project that wants it."""

from __future__ import annotations

import logging
from datetime import datetime, timezone

from pythonjsonlogger.json import JsonFormatter as _JsonFormatter

_FIELDS = "%(asctime)s %(levelname)s %(name)s %(message)s"
_NAMES = {"asctime": "time", "levelname": "level", "name": "logger"}


class JsonFormatter(_JsonFormatter):
    """A formatter for ``logging``: time, level, logger and message first, then the fields of ``extra``."""

    def __init__(self, fmt: str = _FIELDS) -> None:
        super().__init__(fmt, rename_fields=_NAMES)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002
        """Return the time in UTC, with milliseconds."""
        at = datetime.fromtimestamp(record.created, timezone.utc)
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
