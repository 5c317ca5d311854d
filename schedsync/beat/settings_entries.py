"""Writes the entries of ``CELERY_BEAT_SCHEDULE`` into the tables: only the Beat that leads does."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from django.db import InterfaceError, OperationalError

from schedsync.beat.claims import LeaseLost
from schedsync.beat.leadership import Leadership
from schedsync.core.masked_errors import masked_error
from schedsync.database.bounded import bounded
from schedsync.database.faults import is_row_locked

logger = logging.getLogger(__name__)


class SettingsEntries:
    """The entries of the settings; ``write_one`` writes one of them, by its name and its fields.

    A standby may be of an older release: it must not undo what the leader has written.
    """

    def __init__(self, using: str, leadership: Leadership, write_one: Callable[..., Any]) -> None:
        self._using = using
        self._leadership = leadership
        self._write_one = write_one
        self._epoch: int | None = None

    def begin(self, install: Callable[[], None]) -> bool:
        """Install the entries when this Beat begins to lead; returns whether it did.

        Beat leads again after a failure: then the rows are as it left them, unless another Beat has led in between.
        """
        before, self._epoch = self._epoch, self._leadership.epoch or 0
        if before is not None and self._epoch <= before + 1:
            return False
        try:
            install()
        except LeaseLost:
            self._epoch = None
            self._leadership.lose("another Beat has it")
            return False
        except BaseException:
            self._epoch = None
            raise
        return True

    def write(self, mapping: Mapping[str, Any]) -> None:
        """Write entries, and keep the lease meanwhile; an entry that cannot be written stops no other.

        Raises LeaseLost.
        """
        for name, fields in mapping.items():
            if self._leadership.epoch is not None and not self._leadership.keep():
                raise LeaseLost("another Beat has it")
            try:
                with bounded(self._using, self._leadership.span):
                    self._write_one(name, **fields)
            except (OperationalError, InterfaceError) as error:
                if not is_row_locked(error, self._using):
                    raise
                logger.error("`%s` of the settings is not written, somebody has locked its row", name)
            except Exception as error:
                # PostgreSQL quotes the whole row, and with it the arguments.
                logger.error("cannot add `%s` of the settings", name, exc_info=masked_error(error))
