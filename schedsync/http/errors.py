"""What can go wrong with a service."""

from __future__ import annotations


class ServiceError(Exception):
    """A service refused one request, or its answer is not what its API documents; the message has no secret."""


class ServiceAway(ServiceError):
    """A service takes no requests for now, or none with this key: what is left waits for the next time."""
