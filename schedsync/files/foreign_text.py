"""Recognizes text that Git writes in place of a file's content: a pointer of Git LFS, or a merge conflict."""

from __future__ import annotations

import re

from schedsync.core.finding import Finding
from schedsync.core.location import Location

_POINTER = b"version https://git-lfs.github.com/spec/"
_MARKS = (b"<<<<<<<", b"=======", b">>>>>>>")
_CONFLICT = re.compile(rb"^(?:<{7}|>{7}|\|{7})(?=[ \t])|^={7}(?=\r?$)", re.MULTILINE)


def foreign_text_finding(data: bytes, path: str) -> Finding | None:
    """Return a finding if the bytes of a file are a pointer of Git LFS or hold a merge conflict; None otherwise."""
    if data.startswith(_POINTER):
        hint = "fetch it with `git lfs pull`; a review can only read files that are outside of Git LFS"
        return Finding("SS114", "a Git LFS pointer, not the file itself", Location(path, 1, 1), hint)
    if any(mark in data for mark in _MARKS) and (match := _CONFLICT.search(data)):
        place = Location(path, data.count(b"\n", 0, match.start()) + 1, 1)
        return Finding("SS115", f"a merge conflict: `{match[0].decode()}`", place, "resolve it, and commit the file")
    return None
