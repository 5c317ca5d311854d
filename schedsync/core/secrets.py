"""Values that look like secrets: masked wherever values are shown, and reported in files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Any

MASK = "***"

_WORDS = frozenset(
    {"password", "passwd", "pwd", "passphrase", "secret", "secrets", "token", "apikey", "credential", "credentials",
     "authorization", "bearer", "cookie", "dsn", "apitoken", "accesskey", "secretkey", "privatekey"}
)  # fmt: skip
_PAIRS = frozenset(
    {("api", "key"), ("private", "key"), ("access", "key"), ("auth", "key"), ("encryption", "key"), ("signing", "key"),
     ("license", "key"), ("ssh", "key"), ("webhook", "url")}
)  # fmt: skip
#: A key with this last word names where a secret is kept, and is none itself.
_POINTERS = frozenset(
    {"name", "names", "id", "ids", "ref", "env", "path", "file", "field", "count", "type", "ttl", "kind", "length",
     "arn", "version", "prefix", "header", "url", "uri"}
)  # fmt: skip
_ENDINGS = ("password", "passwd", "secret", "apikey")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
#: Values that are secrets under any key, by the documentation of the services that issue them.
_VALUES = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b"),
    re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36,}|\bgithub_pat_[A-Za-z0-9_]{50,}"),
    re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}"),
    re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
    re.compile(r"\b[sr]k_live_[A-Za-z0-9]{16,}"),
    re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    re.compile(r"\b[a-z][a-z0-9+.-]{0,30}://[^/\s@]{0,200}:[^\s@]{1,200}@"),
    re.compile(r"\bhooks\.slack\.com/services/\S"),
    re.compile(r"(?i)\bauthorization:\s*\S"),
    re.compile(r"\bBearer\s+[A-Za-z0-9._~+/-]{16,}"),
)


@lru_cache(maxsize=4096)
def is_secret_key(key: str) -> bool:
    """Say whether the value of a key is likely to be a secret."""
    words = [part.lower() for part in _PART.findall(key)]
    if not words or (words[-1] in _POINTERS and tuple(words[-2:]) not in _PAIRS):
        return False
    if words[-1].endswith(_ENDINGS):
        return True
    return bool(_WORDS & set(words)) or any(pair in _PAIRS for pair in pairwise(words))


def is_secret_value(text: str) -> bool:
    """Say whether a text has the shape of a secret: a private key, a token, a URL with a password."""
    return len(text) >= 12 and any(pattern.search(text) for pattern in _VALUES)


def secret_paths(value: Any, path: str = "") -> Iterator[str]:
    """Yield the paths of secrets within a JSON value, as ``a.b[0]``."""
    if isinstance(value, dict):
        for key, item in value.items():
            here = f"{path}.{key}" if path else key
            if is_secret_key(key) and isinstance(item, str) and item and item != MASK:
                yield here
            else:
                yield from secret_paths(item, here)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from secret_paths(item, f"{path}[{number}]")
    elif isinstance(value, str) and is_secret_value(value):
        yield path


def is_masked(value: Any) -> bool:
    """Say whether a JSON value holds the mask of a secret."""
    if isinstance(value, dict):
        return any(map(is_masked, value.values()))
    return any(map(is_masked, value)) if isinstance(value, list) else value == MASK


def changed_secrets(before: Any, after: Any) -> Any:
    """Return ``after`` with its secrets masked; the mask of a secret that differs from ``before`` says so."""
    if isinstance(before, dict) and isinstance(after, dict):
        return {key: _changed(key, before.get(key), item) for key, item in after.items()}
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [changed_secrets(*pair) for pair in zip(before, after, strict=True)]
    hidden = masked(after)
    return f"{MASK} (changed)" if hidden == MASK == masked(before) and before != after else hidden


def _changed(key: str, before: Any, after: Any) -> Any:
    if _hides(key, after):
        return MASK if before is None or before == after else f"{MASK} (changed)"
    return changed_secrets(before, after)


def masked(value: Any) -> Any:
    """Return a JSON value with three asterisks in place of every secret."""
    if isinstance(value, dict):
        return {key: MASK if _hides(key, item) else masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [masked(item) for item in value]
    return _masked_text(value) if isinstance(value, str) else value


def _masked_text(text: str) -> str:
    if is_secret_value(text):
        return MASK
    if text[:1] not in ("{", "["):
        return text
    try:
        inner = json.loads(text)
        hidden = masked(inner)
    except ValueError:
        return text
    except RecursionError:
        # Nobody can tell whether there is a secret so deep in it.
        return MASK
    return text if hidden == inner else json.dumps(hidden, ensure_ascii=False)


def _hides(key: str, value: Any) -> bool:
    return value is not None and not isinstance(value, bool) and value != "" and is_secret_key(key)
