"""Says who is at work, for the apply lock, the pauses and the audit record."""

from __future__ import annotations

import getpass
import os
import socket

from schedsync.core.pipeline import LONGEST_PERSON, pipeline_of, storable


def who() -> str:
    """Return who is at work: SCHEDSYNC_ACTOR, else the person that CI names, else account and host.

    Looking up the account can be slow, so call it before a transaction opens.
    """
    if person := pipeline_of(os.environ).person:
        return person
    try:
        account = getpass.getuser()
    except (OSError, KeyError):
        account = str(os.getuid())
    return storable(f"{account}@{socket.gethostname()}", LONGEST_PERSON)
