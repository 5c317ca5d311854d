"""Values that look like secrets: masked wherever values are shown, and reported in files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Any

MASK = "***"
CHANGED = f"{MASK} (changed)"
#: The message of a finding about a mask in the files.
TYPED_MASK = f"`{MASK}` is how schedsync shows a secret, not a value"
#: No shorter text holds a name and a secret.
_SHORTEST = 8
#: No token, key or address of a webhook is shorter.
_SHORTEST_TOKEN = 20

#: How much of a key, and of a path of keys, a message shows.
_LONGEST_KEY, _LONGEST_PATH = 60, 200
#: The answer for a longer key is not cached: the cache would hold the keys.
_LONGEST_CACHED = 100

_WORDS = frozenset(
    {"password", "passwd", "pwd", "passphrase", "secret", "secrets", "token", "apikey", "credential", "credentials",
     "authorization", "bearer", "cookie", "apitoken", "accesskey", "secretkey", "privatekey", "accountkey"}
)  # fmt: skip
_PAIRS = frozenset(
    {("api", "key"), ("private", "key"), ("access", "key"), ("auth", "key"), ("encryption", "key"), ("signing", "key"),
     ("license", "key"), ("ssh", "key"), ("account", "key"), ("webhook", "url")}
)  # fmt: skip
#: A key with this last word names where a secret is kept, and is none itself.
_POINTERS = frozenset(
    {"name", "names", "id", "ids", "ref", "env", "path", "file", "field", "count", "type", "ttl", "kind", "length",
     "arn", "version", "prefix", "header", "url", "uri"}
)  # fmt: skip
_ENDINGS = ("password", "passwd", "secret", "apikey")
#: A signature in a URL gives access. As a key of a mapping the word mostly means something else.
_SIGNATURES = frozenset({"sig", "signature"})
#: Before a colon these words are mostly a part of a sentence.
_PROSE = frozenset({"token", "secret", "secrets", "credential", "credentials", "bearer"})
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
#: Values that are secrets under any key, by the documentation of the services that issue them. Texts come from outside
#: in any length, so no pattern may scan the same characters again and again.
_VALUES = (
    re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY"),
    re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[A-Za-z0-9_-]{35}|\bya29\.[A-Za-z0-9_-]{20}|\bGOCSPX-[A-Za-z0-9_-]{20}"),
    re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36}|\bgithub_pat_[A-Za-z0-9_]{50}|\bgl[a-z]{2,5}-[A-Za-z0-9_-]{20}"),
    re.compile(r"\bxox[abeprs]-[A-Za-z0-9-]{10}|\bxapp-[A-Za-z0-9-]{10}"),
    re.compile(r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16}|\bwhsec_[A-Za-z0-9]{16}|\bshp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}"),
    re.compile(r"\bsk-(?:[a-z]{2,8}-)[A-Za-z0-9_-]{16}|\bsk-[A-Za-z0-9]{32}|\bhf_[A-Za-z0-9]{30}"),
    re.compile(r"\bnpm_[A-Za-z0-9]{36}|\bpypi-[A-Za-z0-9_-]{50}|\bdo[opr]_v1_[a-f0-9]{64}|\bhv[bs]\.[A-Za-z0-9_-]{20}"),
    re.compile(r"\bSG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16}"),
    # Look for the end of a web token's first part: a pattern for the whole part would be tried at each character.
    re.compile(r"(?<=[A-Za-z0-9_-]{8})\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8}"),
    re.compile(r"\bhooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/\S|\bdiscord(?:app)?\.com/api/(?:v\d{1,2}/)?webhooks/\d"),
    re.compile(r"\bwebhook\.office\.com/\S|\boutlook\.office(?:365)?\.com/webhook/\S|/hooks/[a-z0-9]{26}\b"),
    re.compile(r"\bapi\.telegram\.org/(?:file/)?bot\d"),
    re.compile(r"\bBearer\s{1,8}[A-Za-z0-9._~+/-]{16}"),
)  # fmt: skip
#: User and password in a URL, up to the next white space or `@`; a secret if that is an `@`.
_LOGIN = re.compile(r"://[^/\s@:]*:[^\s@]+(?P<at>@)?")
#: Without one of these, no text gives a value to a name.
_SIGNS = re.compile(r"[=:]|(?<![\w-])-")
#: A name and its value in a text: `Password=x`, `?token=x`, `pass:x`, `--password x`.
_ASSIGNED = re.compile(
    r"(?<![\w-])(?P<name>[\w-]{1,80})[\"']?(?:\s?(?P<sign>[=:])\s?|\s)(?P<quote>[\"']?)"
    r"(?![\s;&,<{*-]|\$\{|\$[A-Z_]{2}|%[(s])(?=[^\"'])"
)


def is_secret_key(key: str) -> bool:
    """Say whether the value of a key is likely to be a secret."""
    return _is_secret_key(key) if len(key) <= _LONGEST_CACHED else _names_secret(key)


def _names_secret(key: str) -> bool:
    words = [part.lower() for part in _PART.findall(key)]
    if not words or (words[-1] in _POINTERS and tuple(words[-2:]) not in _PAIRS):
        return False
    if words[-1].endswith(_ENDINGS) or words[-1] == "pass":
        return True
    return not _WORDS.isdisjoint(words) or any(pair in _PAIRS for pair in pairwise(words))


_is_secret_key = lru_cache(maxsize=4096)(_names_secret)


def is_secret_value(text: str) -> bool:
    """Say whether a text has the shape of a secret: a private key, a token, a URL with a password, `token=x`."""
    if len(text) < _SHORTEST:
        return False
    if len(text) >= _SHORTEST_TOKEN and any(pattern.search(text) for pattern in _VALUES):
        return True
    if "://" in text and any(match["at"] for match in _LOGIN.finditer(text)):
        return True
    return _SIGNS.search(text) is not None and any(map(_assigns_secret, _ASSIGNED.finditer(text)))


def _assigns_secret(match: re.Match[str]) -> bool:
    name, sign = match["name"], match["sign"]
    if sign is None:
        return name.startswith("-") and is_secret_key(name)
    if sign == ":":
        return name.lower() not in _PROSE and is_secret_key(name)
    return is_secret_key(name) or name.lower().rpartition("-")[2] in _SIGNATURES


def is_secret_flag(value: Any) -> bool:
    """Say whether an item of a list is an option for a secret, whose value is the next item."""
    return isinstance(value, str) and value.startswith("-") and "=" not in value and is_secret_key(value)


def secret_paths(value: Any) -> Iterator[str]:
    """Yield the paths of secrets within a JSON value, as ``a.b[0]``; long paths are cut."""
    try:
        for steps in _secret_steps(value, ()):
            yield _path_text(steps)
    except RecursionError:
        yield ""


def _secret_steps(value: Any, steps: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, dict):
        for key, item in value.items():
            if is_secret_key(key) and isinstance(item, str) and item and item != MASK:
                yield (*steps, key)
            else:
                yield from _secret_steps(item, (*steps, key))
    elif isinstance(value, list):
        for number, (item, before) in enumerate(zip(value, [None, *value], strict=False)):
            if is_secret_flag(before) and isinstance(item, str) and item:
                yield (*steps, number)
            else:
                yield from _secret_steps(item, (*steps, number))
    elif isinstance(value, str) and _masked_text(value) != value:
        yield steps


def _path_text(steps: tuple[str | int, ...]) -> str:
    path = ""
    for step in steps:
        path += f"[{step}]" if isinstance(step, int) else f"{'.' * bool(path)}{step[:_LONGEST_KEY]}"
    return path if len(path) <= _LONGEST_PATH else f"{path[: _LONGEST_PATH - 1]}…"


def is_typed_mask(text: str) -> bool:
    """Say whether a text is a mask, as our output shows it in place of a secret, or JSON text with one."""
    return text in (MASK, CHANGED) or f'"{MASK}' in text


def changed_secrets(before: Any, after: Any) -> Any:
    """Return ``after`` with its secrets masked; the mask of a secret that differs from ``before`` says so."""
    try:
        return _changed_secrets(before, after)
    except RecursionError:
        return MASK


def _changed_secrets(before: Any, after: Any) -> Any:
    if isinstance(before, dict) and isinstance(after, dict):
        return {key: _changed(key, before.get(key), item) for key, item in after.items()}
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        flags = [False, *map(is_secret_flag, after)]
        return [
            _changed("password" if flag else "", old, new)
            for flag, old, new in zip(flags, before, after, strict=False)
        ]  # fmt: skip
    hidden = masked(after)
    return CHANGED if hidden == MASK == masked(before) and before != after else hidden


def _changed(key: str, before: Any, after: Any) -> Any:
    if _hides(key, after):
        return MASK if before is None or before == after else CHANGED
    return _changed_secrets(before, after)


def masked(value: Any) -> Any:
    """Return a JSON value with three asterisks in place of every secret, and of a value nested too deep to read."""
    try:
        return _masked(value)
    except RecursionError:
        return MASK


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: MASK if _hides(key, item) else _masked(item) for key, item in value.items()}
    if isinstance(value, list):
        flags = [False, *map(is_secret_flag, value)]
        return [
            MASK if flag and isinstance(item, str) and item else _masked(item)
            for flag, item in zip(flags, value, strict=False)
        ]  # fmt: skip
    return _masked_text(value) if isinstance(value, str) else value


def _masked_text(text: str) -> str:
    if text[:1] in ("{", "["):
        try:
            inner = json.loads(text)
            hidden = _masked(inner)
        except ValueError:
            return MASK if is_secret_value(text) else text
        except RecursionError:
            # A secret so deep inside cannot be ruled out.
            return MASK
        return text if hidden == inner else json.dumps(hidden, ensure_ascii=False)
    return MASK if is_secret_value(text) else text


def _hides(key: str, value: Any) -> bool:
    return value is not None and not isinstance(value, bool) and value != "" and is_secret_key(key)
