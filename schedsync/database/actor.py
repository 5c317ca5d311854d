"""Says who is at work, for the apply lock, the pauses and the audit record."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from schedsync.core.pipeline import LONGEST_PERSON, pipeline_of, storable

_acting: ContextVar[str | None] = ContextVar("schedsync_acting", default=None)


@contextmanager
def acting_as(person: str) -> Iterator[None]:
    """Let ``who`` return a person until the end: one process of a web server works for many people."""
    token = _acting.set(storable(person, LONGEST_PERSON))
    try:
        yield
    finally:
        _acting.reset(token)


def who() -> str:
    """Return who is at work: the person that this process acts for, else SCHEDSYNC_ACTOR, else CI's, else the account.

    Looking up the account can be slow, so call it before a transaction opens.
    """
    if acting := _acting.get():
        return acting
    if person := pipeline_of(os.environ).person:
        return person
    try:
        account = getpass.getuser()
    except (OSError, KeyError):
        account = str(os.getuid())
    return storable(f"{account}@{socket.gethostname()}", LONGEST_PERSON)
