"""Snapshots at an address or in a branch: got for those who plan without access, and published for them."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from typing import Final

from schedsync.core.published import Address, InBranch
from schedsync.errors import Failed, Unavailable, WrongUsage
from schedsync.git.published import publish_in_branch, read_published, remote_of
from schedsync.http.errors import ServiceAway, ServiceError

TOKEN: Final = "SCHEDSYNC_PUBLISH_TOKEN"
_TOKEN = re.compile(r"[!-~]{8,1000}\Z")
#: In seconds.
_SECONDS = 120.0


def get_published(place: Address | InBranch, most: int, token: str | None = None) -> bytes:
    """Return what is published, at most so many bytes; ``token`` is for an address.

    Raises Unavailable if it cannot be had now, Failed if it is not there, or WrongUsage.
    """
    if isinstance(place, InBranch):
        return read_published(remote_of(place.url, place.branch), place.path, most)
    _require_urllib3()
    from schedsync.http.documents import get_document

    try:
        return get_document(place, most, _SECONDS, token)
    except ServiceError as error:
        raise _told(error, f"cannot get {place}") from error


def publish_at(place: Address | InBranch, data: bytes, most: int) -> None:
    """Publish data, with the token of the settings where it is put at an address.

    Raises Unavailable if the place takes none now, Failed if it refuses, or WrongUsage."""
    if isinstance(place, InBranch):
        publish_in_branch(remote_of(place.url, place.branch), place.path, data, most)
        return
    _require_urllib3()
    from schedsync.http.documents import put_document

    try:
        put_document(place, data, _token())
    except ServiceError as error:
        raise _told(error, f"cannot put {place}") from error


def _token() -> str | None:
    from django.conf import settings

    token = os.environ.get(TOKEN) or getattr(settings, TOKEN, None)
    if token and not _TOKEN.match(str(token)):
        raise WrongUsage(f"{TOKEN} is no token")
    return str(token) if token else None


def _told(error: ServiceError, what: str) -> Failed | Unavailable:
    kind = Unavailable if isinstance(error, ServiceAway) else Failed
    hint = "look at the address in a browser, or with curl; a token can be missing"
    return kind(f"{what}: {error}", hint=hint)


def _require_urllib3() -> None:
    if find_spec("urllib3") is None:
        raise WrongUsage("an address by https needs urllib3", hint="install `schedsync[http]`")
