"""Whether a call of the hook comes from the forge: it only means "ask the remote now", so that a replay is harmless."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable

from django.conf import settings

from schedsync.errors import InvalidConfiguration

_NAME = "SCHEDSYNC_HOOK_SECRET"
#: Bytes: as many as GitHub sends at most.
MOST_BYTES = 25 * 2**20
_PIECE = 2**16
#: A shorter secret could be guessed.
_SHORTEST = 16


def hook_secret() -> bytes | None:
    """Return the secret of the environment variable, else of the Django setting; None without one.

    Raises InvalidConfiguration for one that is too short.
    """
    text = os.environ.get(_NAME) or getattr(settings, _NAME, None)
    if not text:
        return None
    secret = str(text).encode()
    if len(secret) < _SHORTEST:
        raise InvalidConfiguration("Django's settings", f"{_NAME} has fewer than {_SHORTEST} bytes")
    return secret


def is_genuine(secret: bytes, header: Callable[[str], str | None], length: int, read: Callable[[int], bytes]) -> bool:
    """Say whether the sender of a request knows the secret: by GitHub's signature of the body, or GitLab's token.

    ``header`` returns a header by its name, ``read`` the next bytes of the body, whose ``length`` was checked; the body
    is never in memory as a whole.
    """
    signature, token = header("X-Hub-Signature-256"), header("X-Gitlab-Token")
    digest = hmac.new(secret, digestmod=hashlib.sha256)
    left = length
    while left and (piece := read(min(left, _PIECE))):
        digest.update(piece)
        left -= len(piece)
    if left:
        return False
    if signature is not None:
        return _equal(f"sha256={digest.hexdigest()}".encode(), signature)
    return token is not None and _equal(secret, token)


def _equal(known: bytes, given: str) -> bool:
    return hmac.compare_digest(known, given.encode("utf-8", "surrogateescape"))
