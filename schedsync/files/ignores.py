"""Comments that tell the rules to pass over a line: ``# schedsync: ignore[SS206]``."""

from __future__ import annotations

import re
from collections.abc import Callable

from schedsync.core.finding import CODES, Finding, did_you_mean
from schedsync.core.location import Location
from schedsync.files.line_breaks import lines_of

_MARK = b"schedsync:"
_COMMENT = re.compile(r"(?P<before>^|.*?\s)#\s*schedsync:\s*ignore\[(?P<codes>[^\]]*)\]")


def read_ignores(data: bytes, path: str, report: Callable[[Finding], None]) -> dict[int, frozenset[str]]:
    """Return the codes that each line's comment ignores; a comment that stands alone is about the line below it.

    A code that no rule has is reported: it would ignore nothing.
    """
    if _MARK not in data:
        return {}
    found: dict[int, frozenset[str]] = {}
    for number, line in enumerate(lines_of(data.decode("utf-8", "replace")), 1):
        if match := _COMMENT.match(line):
            codes = frozenset(code.strip() for code in match["codes"].split(",") if code.strip())
            _check(codes, Location(path, number, match.start("codes") + 1), report)
            about = number if match["before"].strip() else number + 1
            found[about] = found.get(about, frozenset()) | codes
    return found


def _check(codes: frozenset[str], place: Location, report: Callable[[Finding], None]) -> None:
    rules = [code for code in CODES if code.startswith("SS2")]
    for code in sorted(codes - set(rules)):
        hint = did_you_mean(code, rules) or "`schedsync rules` lists the rules; other findings cannot be ignored"
        report(Finding("SS112", f"no rule `{code}` to ignore", place, hint, "warning"))
