"""Plain scalars of YAML: text without quotes, as version 1.2 of YAML and the editors read it."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from schedsync.core.finding import Severity
from schedsync.files.node import BAD, Bad

#: A number with more digits is refused: converting it would take too long.
MAX_DIGITS: Final = 300

_INT = re.compile(r"[-+]?[0-9]+\Z", re.ASCII)
_BASED = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z", re.ASCII)
_NOT_FINITE = re.compile(r"([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\Z")
WORDS: Final = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
#: The characters that a number can begin with.
NUMERIC: Final = frozenset("+-.0123456789")


class Problem(NamedTuple):
    """What is wrong with a scalar, without its place."""

    code: str
    message: str
    hint: str | None = None
    severity: Severity = "error"


def number(text: str) -> tuple[Any, Problem | None]:
    """Return the value of a plain scalar that begins like a number, by YAML 1.2, section 10.3, and what is wrong.

    Text that is not a number is its own value; a number that JSON cannot hold is BAD.
    """
    if _INT.match(text):
        return _integer(text)
    if _BASED.match(text):
        return _too_long(text) or (int(text, 0), None)
    if _NOT_FINITE.match(text):
        return BAD, Problem("SS109", f"`{text}` is not a number that JSON can hold")
    return _real(text) if _FLOAT.match(text) else (text, None)


def _integer(text: str) -> tuple[int | Bad, Problem | None]:
    if too_long := _too_long(text):
        return too_long
    digits = text.lstrip("+-")
    value = int(text)
    if len(digits) > 1 and digits[0] == "0":
        hint = f'write {value}, or "{text}" if the zeros matter'
        return value, Problem("SS110", f"`{text}` is the number {value}", hint, "warning")
    return value, None


def _too_long(text: str) -> tuple[Bad, Problem] | None:
    if len(text) <= MAX_DIGITS:
        return None
    return BAD, Problem("SS109", f"a number of {len(text)} digits", "quote it, if it is text")


def _real(text: str) -> tuple[float | Bad, Problem | None]:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        return BAD, Problem("SS109", f"`{text[:40]}` is too large for a number")
    return value, None
