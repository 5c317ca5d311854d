"""What names a place for snapshots, and what is refused before anything is asked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from schedsync.core.published import Address, InBranch, InBucket, Place, place_of

SECURE, GIT = "https://s.example.org/s.json", "g.example.org/a.git"
LOCAL = "http://localhost:80/s.json"


@pytest.mark.parametrize(
    ("text", "place", "shown"),
    [
        ("snapshot.json", Path("snapshot.json"), "snapshot.json"),
        ("/srv/a b/s.json", Path("/srv/a b/s.json"), "/srv/a b/s.json"),
        ("c:/s.json", Path("c:/s.json"), "c:/s.json"),
        (f"{SECURE}?sig=x#y", Address(f"{SECURE}?sig=x"), SECURE),
        (LOCAL, Address(LOCAL), LOCAL),
        ("s3://shop-snapshots", InBucket("shop-snapshots"), "s3://shop-snapshots/snapshot.json"),
        ("S3://b.eu/eu/s.json", InBucket("b.eu", "eu/s.json"), "s3://b.eu/eu/s.json"),
        (f"git+https://{GIT}#s", InBranch(f"https://{GIT}", "s"), f"git+https://{GIT}#s:snapshot.json"),
        (f"git+ssh://git@{GIT}#s:eu/s", InBranch(f"ssh://git@{GIT}", "s", "eu/s"), f"git+ssh://{GIT}#s:eu/s"),
        (f"git+https://me:pw@{GIT}#s", InBranch(f"https://me:pw@{GIT}", "s"), f"git+https://{GIT}#s:snapshot.json"),
    ],
)
def test_a_text_names_a_place(text: str, place: Place, shown: str) -> None:
    assert (place_of(text), str(place_of(text))) == (place, shown)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ftp://example.org/s.json", "`ftp://` is no place for a snapshot; give a file, `https://"),
        ("s3://Bucket/s.json", "`s3://` takes the name of a bucket"),
        ("s3://user:pw@bucket/s.json", "`s3://` takes the name of a bucket"),
        ("s3://bucket/a b", "the key in the bucket"),
        ("http://example.org/s.json", "`http://example.org/s.json` is open to everybody on the way"),
        ("http://localhost.example.org/s.json", "is open to everybody"),
        ("https://me:pw@example.org/s.json", "`https://example.org/s.json` has a password: give a token"),
        ("https://", "`https://` is no address"),
        ("https://exa mple.org/", "is no address"),
        ("https://[::1", "is no address"),
        ("https://example.org/\r\nX: 1", "is no address"),
        ("git+https://example.org/a.git", "names no branch: give `git+https://example.org/a.git#branch`"),
        ("git+https://example.org/a.git#b:../s.json", "the path in the branch"),
        ("git+https://example.org/a.git#b:/s.json", "the path in the branch"),
        ("git+https://example.org/a.git#b:.git/config", "the path in the branch"),
        ("git+https://example.org/a.git#b:--output=x", "the path in the branch"),
        ("git+https://example.org/a.git#b:a,b", "the path in the branch"),
        ("git+https://example.org/a.git#b:", "the path in the branch"),
    ],
)
def test_a_text_that_names_none_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)) as caught:
        place_of(text)

    assert "pw" not in str(caught.value)
