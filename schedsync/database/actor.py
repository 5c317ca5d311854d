"""Who is at work, for the ledger and the audit record."""

from __future__ import annotations

import getpass
import os
import socket


def who() -> str:
    """Return who is at work: the person that CI names, else the account and the host."""
    named = os.environ.get("GITHUB_ACTOR") or os.environ.get("GITLAB_USER_LOGIN")
    try:
        account = getpass.getuser()
    except (OSError, KeyError):
        account = str(os.getuid())
    return (named or f"{account}@{socket.gethostname()}")[:200]
