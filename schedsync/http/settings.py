"""What the settings of services share: where a value is found, what a token is, and the package that is needed."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec

from schedsync.errors import WrongUsage

_TOKEN = re.compile(r"[!-~]{8,1000}\Z")


def setting(name: str) -> str | None:
    """Return the environment variable of this name, else the Django setting; None where both are missing or empty."""
    # Imported here: `--against` needs no Django.
    from django.conf import settings

    value = os.environ.get(name) or getattr(settings, name, None)
    return str(value) if value else None


def token_of(name: str) -> str | None:
    """Return the token of a setting, None without one; raises WrongUsage, without its text, if it cannot be one."""
    token = setting(name)
    if token is not None and not _TOKEN.match(token):
        raise WrongUsage(f"{name} is no token", hint="give 8 to 1,000 printable characters of ASCII without blanks")
    return token


def require_urllib3(who: str, extra: str = "http") -> None:
    """Raise WrongUsage, which says ``who`` needs it, if urllib3 is not installed; the ``extra`` installs it."""
    if find_spec("urllib3") is None:
        raise WrongUsage(f"{who} needs urllib3", hint=f"install `schedsync[{extra}]`")


def require_boto3() -> None:
    """Raise WrongUsage if boto3 is not installed."""
    if find_spec("boto3") is None:
        raise WrongUsage("`s3://` needs boto3", hint="install `schedsync[s3]`")
