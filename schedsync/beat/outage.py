"""Says once that the database is away, and once that it is back."""

from __future__ import annotations

import logging
import time

from schedsync.beat.tables import NotMigrated

logger = logging.getLogger(__name__)


class Outage:
    """An outage lasts from the first step that failed to the first one that succeeds; ``retry`` is in seconds."""

    def __init__(self, retry: float) -> None:
        self._retry = retry
        self._began: float | None = None
        self._text = ""

    @property
    def is_on(self) -> bool:
        """Whether the database is away."""
        return self._began is not None

    def begin(self, error: Exception) -> None:
        """Log an error that begins an outage; another error during the outage is only an info."""
        if isinstance(error, NotMigrated):
            return
        text = str(error)
        if self._began is None:
            self._began = time.monotonic()
            logger.error("the database failed, trying again every %g s: %s", self._retry, text)
        elif text != self._text:
            logger.info("the database is still away: %s", text)
        self._text = text

    def end(self) -> None:
        """Log that the database is back, if it was away."""
        if self._began is not None:
            seconds = time.monotonic() - self._began
            logger.warning("the database is back after %.0f s", seconds, extra={"seconds": seconds})
            self._began = None
