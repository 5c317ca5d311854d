"""Findings as lines for people: place, severity, code and message in columns, the worst first.

In a terminal, the line of the file follows, with carets below the value that the finding is about.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

from schedsync.core.finding import SEVERITIES, Finding
from schedsync.core.names import first_names, shortened
from schedsync.core.schedule import LONGEST_NAME
from schedsync.render.terminal.change_lines import in_lines, name_lines
from schedsync.render.terminal.columns import at_line_start, cut, width_of
from schedsync.render.terminal.paint import Paint, plain
from schedsync.render.words import counted, finding_text, printable

#: Returns the line of a file that a finding is about, None where it must not or cannot be shown.
Excerpt = Callable[[Finding], str | None]

_STYLES = {"error": "red", "warning": "yellow", "info": "cyan"}
#: In characters. A longer place moves the rest of its own line only.
_LONGEST_PLACE = 48
#: The severities whose line of the file is shown.
_EXCERPTED = ("error", "warning")
#: How many names and places of equal findings are shown without `--verbose`.
_NAMED = 5
_INDENT = "      "
#: In characters: how much of a long line is shown before the value.
_BEFORE = 20
#: A text in quotes, or everything up to a comment or to the colon of a key; between brackets, up to the next comma.
_VALUE = re.compile(r"\"[^\"]*\"|'[^']*'|(?:[^:#]|:(?=\S)|(?<!\s)#)+")
_VALUE_IN_BRACKETS = re.compile(r"\"[^\"]*\"|'[^']*'|(?:[^:#,\[\]{}]|:(?=\S)|(?<!\s)#)+")
#: One field of a crontab.
_FIELD = re.compile(r"[^\s\"',}]+")


def findings(
    found: Iterable[Finding],
    paint: Paint = plain,
    *,
    verbose: bool = False,
    mark: Callable[[Finding], str] = lambda _: "",
    excerpt: Excerpt = lambda _: None,
    width: int | None = None,
) -> str:
    """Write findings, errors first, each with its hint below.

    ``verbose`` lists all names too. ``mark`` returns what follows a message, ``excerpt`` the line of the file.
    ``width`` is that of the terminal, None for a pipe.
    """
    folded = _folded(by_severity(found), mark)
    columns = _columns([equal[0] for equal in folded], width)
    lines: list[str] = []
    for equal in folded:
        finding = equal[0]
        lines.append(f"{_head(finding, columns, paint)}{_subject(equal)}{finding_text(finding)}{mark(finding)}")
        if finding.severity in _EXCERPTED and (text := excerpt(finding)) is not None:
            lines += _excerpt(finding, text, width or 100, paint)
        if len(equal) > 1 and not verbose:
            lines.append(f"  {at_line_start(printable(first_names(_each(equal), _NAMED)))}")
        if finding.hint:
            lines.append(f"  hint: {printable(finding.hint)}")
        if verbose:
            lines += name_lines(finding) if len(equal) == 1 else in_lines(_each(equal), _INDENT)
    return "\n".join(lines)


def _folded(found: Iterable[Finding], mark: Callable[[Finding], str]) -> list[list[Finding]]:
    """Put findings together that say the same at different places, errors of one file only; order is kept."""
    same: dict[Hashable, list[Finding]] = {}
    for finding in found:
        says = (finding.code, finding.severity, finding.message, finding.hint, finding.environments, mark(finding))
        path = finding.location.path if finding.location and finding.severity == "error" else ""
        is_of_one = finding.location is not None and not finding.names
        same.setdefault((*says, path) if is_of_one else finding, []).append(finding)
    return list(same.values())


def _subject(equal: Sequence[Finding]) -> str:
    """Return which schedule a message is about, or how many; empty where the message says it."""
    names = {finding.schedule for finding in equal}
    if len(equal) > 1:
        return f"{len(equal):,} {'schedules' if len(names - {None}) == len(equal) else 'places'}: "
    name = equal[0].schedule
    return f"{printable(shortened(name, LONGEST_NAME))}: " if name and f"`{name}`" not in equal[0].message else ""


def _each(equal: Sequence[Finding]) -> list[str]:
    """Return the name and the line of each of some findings; the path too where it is not that of the first."""
    texts = []
    for finding in equal:
        place, first = finding.location, equal[0].location
        if place is not None and first is not None:
            where = f"line {place.line}" if place.path == first.path else f"{place.path}:{place.line}"
            texts.append(f"{shortened(finding.schedule, LONGEST_NAME)} ({where})" if finding.schedule else where)
    return texts


def by_severity(found: Iterable[Finding]) -> list[Finding]:
    """Return the errors, then the warnings, then the infos; within each the order stays."""
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))


def severities_text(found: Iterable[Finding]) -> str:
    """Return how many errors, warnings and infos there are: "2 errors, 1 info"; without any, "No findings"."""
    severities = [finding.severity for finding in found]
    counts = ((severity, severities.count(severity)) for severity in SEVERITIES)
    return ", ".join(counted(count, severity) for severity, count in counts if count) or "No findings"


def _columns(found: Sequence[Finding], width: int | None) -> tuple[int, int]:
    """Return the widths of the columns of places and of severities."""
    room = min(_LONGEST_PLACE, (width or 2 * _LONGEST_PLACE) // 2)
    places = [length for finding in found if (length := len(_place(finding))) <= room]
    return max(places, default=0), max((len(finding.severity) for finding in found), default=0)


def _head(finding: Finding, columns: tuple[int, int], paint: Paint) -> str:
    """Return everything before the message."""
    place, style = _place(finding), _STYLES[finding.severity]
    start = f"{paint(place, 'dim')}{' ' * (columns[0] - len(place))} " if place else ""
    severity = f"{paint(finding.severity, style)}{' ' * (columns[1] - len(finding.severity))}"
    return f"{start}{severity}  {paint(finding.code, style)}  "


def _place(finding: Finding) -> str:
    return f"{_as_relative(printable(str(finding.location)))}:" if finding.location else ""


def _as_relative(path: str) -> str:
    """Return a path as it may begin a line: GitHub's runner takes two colons there for a command."""
    return f"./{path}" if path.lstrip().startswith("::") else path


def _excerpt(finding: Finding, text: str, width: int, paint: Paint) -> Iterator[str]:
    """Yield the line of a file, cut to the width, and the carets below the value."""
    if finding.location is None:
        return
    start = min(finding.location.column - 1, len(text))
    end = _end_of_value(finding, text, start)
    number = f"{finding.location.line:>5} | "
    room = width - len(number)
    first = 0 if width_of(text[:end]) <= room else max(0, start - _BEFORE)
    before = f"{'…' * bool(first)}{printable(text[first:start])}"
    shown = cut(f"{before}{printable(text[start:])}", room)
    carets = min(width_of(printable(text[start:end])), room - width_of(before))
    yield f"{paint(number, 'dim')}{shown}".rstrip()
    if carets > 0:
        yield f"{paint('      | ', 'dim')}{' ' * width_of(before)}{paint('^' * carets, _STYLES[finding.severity])}"


def _end_of_value(finding: Finding, text: str, start: int) -> int:
    """Return the index in a line at which the value that begins at another index ends."""
    pattern = _VALUE_IN_BRACKETS if "{" in text[:start] or "[" in text[:start] else _VALUE
    if finding.code == "SS131" and text[start : start + 1] not in ("", '"', "'"):
        pattern = _FIELD
    value = pattern.match(text, start)
    return start + max(1, len(value[0].rstrip())) if value else start + 1
