"""One object in a bucket of a store that speaks the API of S3: it is got or put as a whole, in bounded time and size.

The address of the store, its region and the credentials come from where boto3 looks for them: variables such as
`AWS_ENDPOINT_URL`, its files, or the role of the host.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from schedsync.core.published import InBucket
from schedsync.http.errors import ServiceAway, ServiceError, error_of
from schedsync.http.in_time import TooLong, in_time

#: Stores other than Amazon's refuse the checksums that are sent by default.
_CHECKSUMS: Final = "when_required"
_CONFIG: Final = Config(
    connect_timeout=10,
    read_timeout=20,
    retries={"total_max_attempts": 3, "mode": "standard"},
    request_checksum_calculation=_CHECKSUMS,
    response_checksum_validation=_CHECKSUMS,
)
#: In bytes.
_MEGABYTE: Final = 2**20

T = TypeVar("T")


def get_object(place: InBucket, most: int, seconds: float) -> bytes:
    """Return what an object holds; ``most`` is in bytes.

    Raises ServiceAway if the store does not answer in time, or takes no request with these credentials, else
    ServiceError. No message has a credential.
    """

    def get(store: Any) -> bytes:
        data: bytes = store.get_object(Bucket=place.bucket, Key=place.key)["Body"].read(most + 1)
        if len(data) > most:
            raise ServiceError(f"it is larger than {most // _MEGABYTE} MB")
        return data

    return _asked(get, seconds)


def put_object(place: InBucket, data: bytes, seconds: float) -> None:
    """Put an object; raises what :func:`get_object` raises."""
    _asked(
        lambda store: store.put_object(Bucket=place.bucket, Key=place.key, Body=data, ContentType="application/json"),
        seconds,
    )


def _asked(ask: Callable[[Any], T], seconds: float) -> T:
    def call() -> T:
        return ask(boto3.session.Session().client("s3", config=_CONFIG))

    try:
        return in_time(call, seconds)
    except TooLong:
        raise ServiceAway("it takes too long") from None
    except ClientError as error:
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        raise error_of(status) from None
    except (BotoCoreError, OSError, ValueError) as error:
        # Its text can quote an address or a setting; its name says enough.
        raise ServiceAway(f"no answer from the store: {type(error).__name__}") from None
