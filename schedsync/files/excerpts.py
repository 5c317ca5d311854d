"""Single lines of the files, to be shown below a finding; a line that may hold a secret is never shown."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from schedsync.core.finding import Finding
from schedsync.core.secrets import is_secret_flag, is_secret_key, is_secret_value
from schedsync.files.discover import is_source
from schedsync.files.line_breaks import each_line
from schedsync.files.yaml import MAX_BYTES

#: Findings about a file that is not what it seems, or that cannot be read.
_NOT_SHOWN = frozenset({"SS101", "SS102", "SS104", "SS105", "SS114"})
#: Findings about a secret, or about the mask of one.
_SECRETS = frozenset({"SS113", "SS212"})
#: In characters. A longer line is not written by hand.
_LONGEST = 1_000
#: How many lines are shown at most, and how many lines above each are looked at: the file may be large.
_MOST_SHOWN, _MOST_ABOVE = 50, 20_000
#: What holds arguments: any of them may be a secret.
_ARGUMENTS = frozenset({"args", "kwargs", "headers"})
#: A line begins with one of these if a key and its value are in different lines.
_APART = (":", "?")
#: An option of a command, in a list of words.
_FLAG = re.compile(r"(?<![\w-])--?[\w-]{1,80}")
_KEY = re.compile(r"(?<![\w-])([\w-]{1,80})[\"']?\s{0,8}[:=]")


class Excerpts:
    """The lines of files on the disk; each file is read once."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self._secret = {finding.location[:2] for finding in findings if finding.code in _SECRETS and finding.location}
        self._lines: dict[str, Sequence[str]] = {}
        self._left = _MOST_SHOWN

    def __call__(self, finding: Finding) -> str | None:
        """Return the line that a finding is about; None where it must not or cannot be shown."""
        place = finding.location
        if place is None or not self._left or finding.code in _NOT_SHOWN or place[:2] in self._secret:
            return None
        lines = self._lines_of(place.path)
        if not 0 < place.line <= len(lines) or len(lines[place.line - 1]) > _LONGEST:
            return None
        self._left -= 1
        return None if may_hold_secret(lines, place.line - 1) else lines[place.line - 1]

    def _lines_of(self, path: str) -> Sequence[str]:
        if path not in self._lines:
            self._lines[path] = _read(Path(path)) if is_source(Path(path).name) else ()
        return self._lines[path]


def _read(path: Path) -> Sequence[str]:
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_BYTES:
            return ()
        return tuple(each_line(path.read_text(encoding="utf-8-sig")))
    except (OSError, ValueError):
        return ()


def may_hold_secret(lines: Sequence[str], index: int) -> bool:
    """Say whether a line is of arguments, or has a secret, or is below a key whose value is one.

    The file may be broken, so only indentation says which keys are above a line.
    """
    before = next((line for line in reversed(lines[:index]) if line.strip()), "")
    if index > _MOST_ABOVE or lines[index].lstrip().startswith(_APART) or before.lstrip().startswith(_APART):
        return True
    if is_secret_value(lines[index]) or any(map(is_secret_flag, _FLAG.findall(f"{before} {lines[index]}"))):
        return True
    return any(name in _ARGUMENTS or is_secret_key(name) for name in _keys_at(lines, index))


def _keys_at(lines: Sequence[str], index: int) -> Collection[str]:
    """Return the keys in a line, in the last line before it, and in each line that it is indented below."""
    keys = set(_KEY.findall(lines[index]))
    depth, is_item, is_next = _depth(lines[index]), _is_item(lines[index]), True
    for line in reversed(lines[:index]):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if is_next and line.rstrip().endswith((":", "|", ">", "-", "[", "{", ",")):
            keys.update(_KEY.findall(line)[-1:])
        is_next = False
        if _depth(line) < depth or (is_item and _depth(line) == depth and not _is_item(line)):
            keys.update(_KEY.findall(line))
            depth, is_item = _depth(line), _is_item(line)
        if depth == 0 and not is_item:
            break
    return keys


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def _is_item(line: str) -> bool:
    return line.lstrip().startswith("-")
