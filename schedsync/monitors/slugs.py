"""The slugs of schedules' names at the services."""

from __future__ import annotations

import hashlib
import re
import unicodedata

#: Sentry cuts a check-in's slug to this length, and so does its SDK's server.
SENTRY_LENGTH = 50
#: Half of what Healthchecks takes, so that a prefix has room.
HEALTHCHECKS_LENGTH = 50
_NOT_A_WORD = re.compile(r"[^a-z0-9_\s-]")
_GAP = re.compile(r"[-\s]+")


def sentry_slug(name: str) -> str:
    """Return the slug under which Sentry files the check-ins of a schedule; empty where it has none.

    The SDK sends the name, and Sentry makes the slug of it: cut, lower case, ASCII letters, digits, `_` and `-`.
    """
    return _words(name[:SENTRY_LENGTH])[:SENTRY_LENGTH].strip("-")


def healthchecks_slug(name: str, prefix: str = "") -> str:
    """Return the slug of a schedule's check: the name itself where it can be one, else with a hash of the name.

    No two names have the same slug.
    """
    words = _words(name)
    if words == name and len(name) <= HEALTHCHECKS_LENGTH:
        return prefix + name
    mark = hashlib.sha256(name.encode(errors="replace")).hexdigest()[:10]
    return prefix + f"{words[: HEALTHCHECKS_LENGTH - 11]}-{mark}".lstrip("-")


def _words(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return _GAP.sub("-", _NOT_A_WORD.sub("", plain)).strip("-_")
