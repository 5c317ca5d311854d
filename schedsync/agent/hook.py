"""Whether a call of the hook comes from the forge: it only means "ask the remote now", so that a replay is harmless."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterator

from schedsync.errors import InvalidConfiguration
from schedsync.http.settings import setting

_NAME = "SCHEDSYNC_HOOK_SECRET"
#: In bytes: GitHub sends no more.
MOST_BYTES = 25 * 2**20
_PIECE = 2**16
#: A shorter secret could be guessed.
_SHORTEST = 16
#: What the secret of a Standard Webhook begins with; its key in Base64 follows.
_SIGNING = "whsec_"

Header = Callable[[str], str | None]


def hook_secret() -> bytes | None:
    """Return the secret of the environment variable, else of the Django setting; None without one.

    Raises InvalidConfiguration for one that is too short.
    """
    text = setting(_NAME)
    if text is None:
        return None
    secret = text.encode()
    if len(secret) < _SHORTEST or len(_signing_key(secret)) < _SHORTEST:
        raise InvalidConfiguration("Django's settings", f"{_NAME} has fewer than {_SHORTEST} bytes")
    return secret


def is_genuine(secret: bytes, header: Header, length: int, read: Callable[[int], bytes]) -> bool:
    """Say whether the sender of a request knows the secret: by a signature of the body, else by GitLab's token.

    The signatures are GitHub's, and that of a Standard Webhook, as GitLab sends it. If one is sent, it must be right,
    and the token does not count. ``header`` returns a header by its name, ``read`` the next bytes of the body, whose
    ``length`` was checked; the body is never in memory as a whole.
    """
    github, standard = hmac.new(secret, digestmod=hashlib.sha256), _standard(secret, header)
    left = length
    while left and (piece := read(min(left, _PIECE))):
        github.update(piece)
        standard.update(piece)
        left -= len(piece)
    if left:
        return False
    checks = list(_checks(header, github.hexdigest(), base64.b64encode(standard.digest())))
    token = header("X-Gitlab-Token")
    return all(checks) if checks else token is not None and _equal(secret, token)


def _checks(header: Header, github: str, standard: bytes) -> Iterator[bool]:
    """Yield whether each signature that was sent is right."""
    if (signature := header("X-Hub-Signature-256")) is not None:
        yield _equal(f"sha256={github}".encode(), signature)
    if (signature := header("webhook-signature")) is not None:
        # While a secret is changed, there are several; other versions than v1 are not by a shared secret.
        given = [text[3:] for text in signature.split(" ") if text.startswith("v1,")]
        is_whole = bool(header("webhook-id") and header("webhook-timestamp"))
        yield is_whole and any(_equal(standard, text) for text in given)


def _standard(secret: bytes, header: Header) -> hmac.HMAC:
    # The time is not compared with the clock: a replay is harmless, and a wrong clock would refuse every call.
    start = f"{header('webhook-id') or ''}.{header('webhook-timestamp') or ''}."
    return hmac.new(_signing_key(secret), start.encode("latin-1", "replace"), digestmod=hashlib.sha256)


def _signing_key(secret: bytes) -> bytes:
    """Return the key of a secret for Standard Webhooks; one without their prefix is the key itself."""
    start = _SIGNING.encode()
    if not secret.startswith(start):
        return secret
    try:
        return base64.b64decode(secret[len(start) :], validate=True)
    except binascii.Error:
        return secret


def _equal(known: bytes, given: str) -> bool:
    return hmac.compare_digest(known, given.encode("utf-8", "surrogateescape"))
