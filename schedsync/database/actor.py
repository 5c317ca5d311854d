"""Says who is at work, for the apply lock, the pauses and the audit record."""

from __future__ import annotations

import getpass
import os
import socket


def who() -> str:
    """Return who is at work: the person that CI names, else account and host.

    Looking up the account can be slow, so call it before a transaction opens.
    """
    person = os.environ.get("GITHUB_ACTOR") or os.environ.get("GITLAB_USER_LOGIN")
    try:
        account = getpass.getuser()
    except (OSError, KeyError):
        account = str(os.getuid())
    return (person or f"{account}@{socket.gethostname()}")[:200]
