"""Output that a page shows is compared with the real one; what differs from day to day counts as equal."""

from __future__ import annotations

import re

#: Each pattern is replaced by its word, on both sides.
CHANGING = (
    # On a slow machine a command says what it does, and wipes that away again.
    (re.compile(r"\x1b\[\?25l.*?\x1b\[1A\x1b\[2K", re.DOTALL), ""),
    (re.compile(r"\x1b\[[0-9;]*m"), ""),
    (
        re.compile(r"\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?Z?"),
        "<date>",
    ),
    (
        re.compile(r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d{1,2} [A-Z][a-z]{2}(?: \d{4})?(?: \d\d:\d\d(?::\d\d)?)?\b"),
        "<date>",
    ),
    (re.compile(r"(?<=\bApplied in run )[0-9a-f]{8}\b"), "<id>"),
    # The short name of a commit may have no letter.
    (re.compile(r"(?<=\bat )[0-9a-f]{12}\b"), "<id>"),
    (re.compile(r"\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{7,64}\b"), "<id>"),
    (re.compile(r"\b\d[\d,]* runs\b"), "<number> runs"),
    (re.compile(r"\(Django [\d.]+\)"), "(Django)"),
)


def differs(shown: str, real: str) -> str | None:
    """Return how the real output differs from the shown one, or None; `…` stands for any text, alone for any lines."""
    wanted, found = _plain(shown), _plain(real)
    if re.fullmatch("".join(_pattern(line) for line in wanted.splitlines()), f"\n{found}"):
        return None
    return f"the page shows\n{wanted}\n\nbut it is\n{found}"


def _pattern(line: str) -> str:
    if line.strip() == "…":
        return r"(?:\n.*)*"
    return r"\n" + re.escape(line).replace("…", ".*")


def _plain(text: str) -> str:
    for pattern, word in CHANGING:
        text = pattern.sub(word, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines() if line.strip())
