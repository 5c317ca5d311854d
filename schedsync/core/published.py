"""Where a snapshot is published: in a file, at an address, in a bucket, or in a branch of a Git repository."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit, urlunsplit

from schedsync.core.secrets import MASK

#: Nobody is between us and these.
LOCAL = ("127.0.0.1", "::1", "localhost")
DEFAULT_FILE = "snapshot.json"
_ADDRESS = re.compile(r"https?://[!-~]{1,4000}\Z")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,20})://")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{2,62}\Z")
_KEY = re.compile(r"[!-~]{1,900}\Z")
_PART = re.compile(r"[A-Za-z0-9_@][A-Za-z0-9_.@+-]{0,99}\Z")
_LONGEST_PATH = 500
KNOWN = "a file, `https://…`, `s3://bucket/key`, or `git+https://…#branch:path`"


@dataclass(frozen=True, slots=True)
class Address:
    """An address by https; its query can be a signature that gives access."""

    url: str

    def __str__(self) -> str:
        return shown(self.url)


@dataclass(frozen=True, slots=True)
class InBranch:
    """A file in a branch of a repository whose address Git understands."""

    url: str
    branch: str
    path: str = DEFAULT_FILE

    def __str__(self) -> str:
        return f"git+{shown(self.url)}#{self.branch}:{self.path}"


@dataclass(frozen=True, slots=True)
class InBucket:
    """An object of a store that speaks the API of S3."""

    bucket: str
    key: str = DEFAULT_FILE

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


#: A place that is not on this host.
Away = Address | InBranch | InBucket
Place = Path | Away


def place_of(text: str) -> Place:
    """Return the place that a text names; raises ValueError with the reason."""
    scheme = _SCHEME.match(text)
    if scheme is None:
        return Path(text)
    name = scheme[1].lower()
    if name in ("https", "http"):
        return _address(text)
    if name == "s3":
        return _in_bucket(text[len("s3://") :])
    if name.startswith("git+"):
        return _in_branch(text[len("git+") :])
    raise ValueError(f"`{name}://` is no place for a snapshot; give {KNOWN}")


def _address(text: str) -> Address:
    try:
        parts = urlsplit(text) if _ADDRESS.match(text) else None
        host = parts and parts.hostname
    except ValueError:
        parts = host = None
    if parts is None or not host:
        raise ValueError(f"`{shown(text)}` is no address")
    if parts.scheme.lower() == "http" and host not in LOCAL:
        raise ValueError(f"`{shown(text)}` is open to everybody on the way: give one by https")
    if "@" in parts.netloc:
        raise ValueError(f"`{shown(text)}` has a password: give a token by the environment")
    return Address(urlunsplit(parts._replace(fragment="")))


def _in_branch(text: str) -> InBranch:
    url, _, fragment = text.partition("#")
    branch, colon, path = fragment.partition(":")
    if not branch:
        raise ValueError(f"`git+{shown(url)}` names no branch: give `git+{shown(url)}#branch`")
    path = path if colon else DEFAULT_FILE
    parts = path.split("/")
    if not all(map(_PART.match, parts)) or ".git" in map(str.lower, parts) or len(path) > _LONGEST_PATH:
        raise ValueError("the path in the branch has other characters than letters, digits and `_@.+-`")
    return InBranch(url, branch, PurePosixPath(path).as_posix())


def _in_bucket(text: str) -> InBucket:
    bucket, _, key = text.partition("/")
    if not _BUCKET.match(bucket):
        raise ValueError("`s3://` takes the name of a bucket: at least three lower-case letters, digits, `-` and `.`")
    if key and not _KEY.match(key):
        raise ValueError("the key in the bucket has other characters than those of ASCII, or more than 900")
    return InBucket(bucket, key or DEFAULT_FILE)


def shown(url: str) -> str:
    """Return an address for people: without a user, a password and a query."""
    try:
        parts = urlsplit(url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    except ValueError:
        return MASK
