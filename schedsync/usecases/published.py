"""Snapshots away from this host: got for those who plan without access, and published for them."""

from __future__ import annotations

from typing import Final

from schedsync.core.published import Away, InBranch, InBucket
from schedsync.errors import Failed, Unavailable
from schedsync.git.published import publish_in_branch, read_published, remote_of
from schedsync.http.errors import ServiceAway, ServiceError
from schedsync.http.settings import require_boto3, require_urllib3, token_of

TOKEN: Final = "SCHEDSYNC_PUBLISH_TOKEN"
#: In seconds.
_SECONDS = 120.0
_WHO = "an address by https"


def get_published(place: Away, most: int, token: str | None = None) -> bytes:
    """Return what is published; ``most`` is in bytes, ``token`` is for an address.

    Raises Unavailable if it cannot be had now or the token is refused, Failed if it is not there, or WrongUsage.
    """
    if isinstance(place, InBranch):
        return read_published(remote_of(place.url, place.branch), place.path, most)
    try:
        if isinstance(place, InBucket):
            require_boto3()
            from schedsync.http.buckets import get_object

            return get_object(place, most, _SECONDS)
        require_urllib3(_WHO)
        from schedsync.http.documents import get_document

        return get_document(place, most, _SECONDS, token)
    except ServiceError as error:
        raise _told(error, f"cannot get {place}") from error


def publish_at(place: Away, data: bytes, most: int) -> None:
    """Publish data, with the token of the settings where it is put at an address.

    Raises Unavailable if the place takes none now or refuses the token, Failed if it refuses the data, or WrongUsage.
    """
    if isinstance(place, InBranch):
        publish_in_branch(remote_of(place.url, place.branch), place.path, data, most)
        return
    try:
        if isinstance(place, InBucket):
            require_boto3()
            from schedsync.http.buckets import put_object

            put_object(place, data, _SECONDS)
            return
        require_urllib3(_WHO)
        from schedsync.http.documents import put_document

        put_document(place, data, token_of(TOKEN))
    except ServiceError as error:
        raise _told(error, f"cannot put {place}") from error


def _told(error: ServiceError, what: str) -> Failed | Unavailable:
    kind = Unavailable if isinstance(error, ServiceAway) else Failed
    hint = "look at the place with curl, or with the store's own tool; a token, or a right, can be missing"
    return kind(f"{what}: {error}", hint=hint)
