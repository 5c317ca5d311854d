"""What can go wrong with a service."""

from __future__ import annotations

#: The statuses that another try can mend.
LATER = (429, 500, 502, 503, 504)
_KEY_REFUSED = (401, 403)


class ServiceError(Exception):
    """A service refused one request, or its answer is not what its API documents; the message has no secret."""


class ServiceAway(ServiceError):
    """A service takes no requests for now, or none with this key: what is left waits for the next time."""


def error_of(status: int, said: str = "") -> ServiceError:
    """Return the error for a status of HTTP that was not expected; ``said`` is put behind it."""
    kind = ServiceAway if status in (*_KEY_REFUSED, *LATER) else ServiceError
    return kind(f"HTTP {status}{said}")
