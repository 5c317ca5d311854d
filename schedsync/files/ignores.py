"""Comments that switch rules off for a line: ``# schedsync: ignore[SS206]``."""

from __future__ import annotations

import re
from collections.abc import Callable

from schedsync.core.finding import PACKAGE_CODE, RULE_CODES, Finding, did_you_mean
from schedsync.core.location import Location
from schedsync.files.line_breaks import each_line

_MARK = b"schedsync:"
_COMMENT = re.compile(r"\A(?P<before>|.*?\s)#\s*schedsync:\s*ignore\[(?P<codes>[^\[\]]*)\]")


def read_ignores(data: bytes, path: str, report: Callable[[Finding], None]) -> dict[int, frozenset[str]]:
    """Return the codes that comments ignore, by line number; a comment on a line of its own is about the next line.

    A code that no rule has is reported, because it would ignore nothing.
    """
    if _MARK not in data:
        return {}
    ignores: dict[int, frozenset[str]] = {}
    for number, line in enumerate(each_line(data.decode("utf-8", "replace")), 1):
        if match := _COMMENT.match(line):
            codes = frozenset(code.strip() for code in match["codes"].split(",") if code.strip())
            _check(codes, Location(path, number, match.start("codes") + 1), report)
            about = number if match["before"].strip() else number + 1
            ignores[about] = ignores.get(about, frozenset()) | codes
    return ignores


def _check(codes: frozenset[str], place: Location, report: Callable[[Finding], None]) -> None:
    # The codes of other packages' rules are checked where those rules are known.
    for code in sorted(code for code in codes.difference(RULE_CODES) if not PACKAGE_CODE.match(code)):
        hint = did_you_mean(code, RULE_CODES) or "`schedsync rules` lists the rules; other findings cannot be ignored"
        report(Finding("SS112", f"no rule `{code}` to ignore", place, hint, "warning"))
