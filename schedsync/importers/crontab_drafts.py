"""The lines of a crontab become drafts: each command is the argument of one task."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta, timezone

from schedsync.calendar.slots import fields_of as numbers_of
from schedsync.core.names import first_names
from schedsync.core.schedule import Spec, canonical_json
from schedsync.core.timing import WEEKDAYS
from schedsync.importers.crontab_file import CronLine, CrontabFile
from schedsync.importers.draft import Draft, LeftOut
from schedsync.importers.not_taken import CannotTakeError, NotTaken
from schedsync.importers.spelling import fields_of

#: For cron, a backslash before it makes it a part of the command; two backslashes are one.
_PERCENT = re.compile(r"(?<!\\)(?:\\\\)*%")
#: The days in which dates with two runs are looked for.
_AHEAD = 366
_MOST_DATES = 5


@dataclass(frozen=True, slots=True)
class DoubleRuns:
    """A line that became two schedules, and the dates of the next year on which both of them run."""

    line: int
    names: tuple[str, ...]
    dates: tuple[date, ...]


@dataclass(slots=True)
class LineCandidates:
    """The drafts of the lines that can be taken, the lines that are left out, and the lines that became two."""

    drafts: list[Draft] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    doubles: list[DoubleRuns] = field(default_factory=list)


def line_candidates(read: CrontabFile, task: str, today: date) -> LineCandidates:
    """Return the drafts of the lines; ``task`` gets each command as its only argument."""
    result = LineCandidates([], [_left_out(item) for item in read.not_taken])
    by_line: dict[int, list[CronLine]] = defaultdict(list)
    for line in read.lines:
        by_line[line.line].append(line)
    for number, parts in by_line.items():
        try:
            argument = _argument(parts[0].command)
        except CannotTakeError as error:
            result.left_out.append(_left_out(NotTaken(parts[0].name, error.reason, error.hint, number)))
            continue
        double = _double(number, parts, today)
        if double is not None:
            result.doubles.append(double)
        for part in parts:
            spec = Spec(task, part.timing, args=canonical_json([argument]))
            notes = tuple(_notes(part, double))
            result.drafts.append(Draft(part.name, fields_of(spec, timezone.utc), {part.name: spec}, notes))
    return result


def _left_out(item: NotTaken) -> LeftOut:
    # No name of a line has a comma, so that this is not the name of a line that is taken.
    name = f"line {item.line:,}" if item.name == f"line {item.line:,}" else f"line {item.line:,}, {item.name}"
    return LeftOut(name, f"{item.reason} ({item.hint})" if item.hint else item.reason)


def _argument(command: str) -> str:
    """Return a command as a shell gets it from cron; raises CannotTakeError if it gets text on its standard input."""
    if _PERCENT.search(command):
        hint = "write the text into the command, with `\\%` for a percent sign"
        raise CannotTakeError("cron gives the text after `%` to the command's standard input", hint)
    return command.replace("\\%", "%")


def _double(number: int, parts: Sequence[CronLine], today: date) -> DoubleRuns | None:
    """Return the dates of the next year on which a line that was split runs twice, None for any other line."""
    if len(parts) < 2:
        return None
    return DoubleRuns(number, tuple(part.name for part in parts), double_dates(parts, today, _AHEAD))


def double_dates(parts: Sequence[CronLine], first: date, days: int) -> tuple[date, ...]:
    """Return the dates on which all parts of a line run: cron runs it once, and each schedule runs too."""
    numbers = [numbers_of(part.timing) for part in parts]
    dates = (first + timedelta(days=ahead) for ahead in range(days))
    return tuple(day for day in dates if all(each.on(day) for each in numbers))


def _notes(line: CronLine, double: DoubleRuns | None) -> Iterator[str]:
    if line.user is not None:
        yield f"Line {line.line:,} of the crontab, as user {line.user}."
    if double is not None:
        others = " and ".join(name for name in double.names if name != line.name)
        yield f"Runs in addition to {others}{f' on {dates_text(double.dates)}' if double.dates else ''}."


def dates_text(dates: Sequence[date]) -> str:
    """Return the first dates, and the number of the others."""
    return first_names([f"{WEEKDAYS[day.weekday()]} {day}" for day in dates], _MOST_DATES)
