"""What is known of managed rows during one request: it asks the database once, however many rows are shown."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.http import HttpRequest

from schedsync.admin.mode import alias, mode
from schedsync.core.break_glass import Opened
from schedsync.database.break_glass import may_be_enabled, opened
from schedsync.database.owners import Owner, Owners, every_owner, owner_of
from schedsync.usecases.admin_rows import READONLY

_ATTRIBUTE = "_schedsync_knowledge"


class Knowledge:
    """The entries of the ledger for the rows of a request, and which of them are open for editing."""

    def __init__(self) -> None:
        self.using = alias()
        self._found: dict[int, Owner | None] = {}
        self._every: Owners | None = None

    def owner(self, row: Any) -> Owner | None:
        """Return the entry of a row, None where nobody manages it, or it is not saved yet.

        The name counts that the row had first: a form writes another one into it.
        """
        if row is None or row.pk is None:
            return None
        if row.pk not in self._found:
            if self._every is None and self._found:
                self._every = every_owner(self.using)
            every = self._every
            found = every.of(row.pk, row.name) if every else owner_of(self.using, row.pk, row.name)
            self._found[row.pk] = found
        return self._found[row.pk]

    @cached_property
    def every(self) -> Owners:
        """All entries."""
        return every_owner(self.using)

    @cached_property
    def _opened(self) -> dict[str, Opened]:
        return opened(self.using)

    def opened(self, row: Any) -> Opened | None:
        """Return who has opened a row for editing; None where nobody has, or nobody manages it."""
        owner = self.owner(row)
        return None if owner is None else self._opened.get(owner.name)

    @cached_property
    def _may_be_enabled(self) -> set[str]:
        return may_be_enabled(self.using, self._opened.keys())

    def keeps_enabled(self, row: Any) -> bool:
        """Say whether `enabled` of an open row is not edited: to stop it is a pause, which applies keep.

        What Git has disabled may be enabled, until the next apply: in an emergency there is no other way.
        """
        if mode() != READONLY or self.opened(row) is None:
            return False
        owner = self.owner(row)
        return owner is not None and owner.name not in self._may_be_enabled

    def is_locked(self, row: Any) -> bool:
        """Say whether a row must be left alone: Git manages it, and nobody has opened it."""
        return mode() == READONLY and self.owner(row) is not None and self.opened(row) is None


def known(request: HttpRequest) -> Knowledge:
    """Return what is known during a request."""
    found: Knowledge | None = getattr(request, _ATTRIBUTE, None)
    if found is None:
        found = Knowledge()
        setattr(request, _ATTRIBUTE, found)
    return found


def forget(request: HttpRequest) -> None:
    """Let the next question ask the database again."""
    if hasattr(request, _ATTRIBUTE):
        delattr(request, _ATTRIBUTE)
